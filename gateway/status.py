"""The agent's status over a Unix socket: one JSON object for each connection, and the asking of it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from protocol.words import Unavailable

ANSWER_S_MAX: Final = 3.0  # an agent that takes longer is stuck, and that is what the asker must hear
STATUS_BYTES_MAX: Final = 1 << 20


class StatusServer:
    """Answers each connection with what `ask` returns; a slow or hostile client holds up nobody else for long."""

    def __init__(self, path: Path, ask: Callable[[], dict[str, Any]]):
        self._path = path
        self._ask = ask
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        os.chmod(path, 0o660)
        self._socket.listen(4)

    def start(self) -> None:
        threading.Thread(target=self._serve, name="status", daemon=True).start()

    def close(self) -> None:
        self._socket.close()
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:  # closed
                return
            with client, contextlib.suppress(OSError):
                client.settimeout(ANSWER_S_MAX)
                client.sendall(json.dumps(self._ask(), ensure_ascii=False).encode() + b"\n")


def ask(path: Path) -> dict[str, Any]:
    """The status of the agent whose socket is at `path`. Raises Unavailable where none answers."""
    answer = bytearray()
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(ANSWER_S_MAX)
            client.connect(str(path))
            while len(answer) < STATUS_BYTES_MAX and (more := client.recv(65536)):
                answer += more
        status: dict[str, Any] = json.loads(answer)
    except (OSError, ValueError) as error:
        raise Unavailable(
            f"no agent answers at {path} ({error}); start it with `sixkit run --config gateway.toml`",
            f"{path} 无网关程序应答（{error}）；请用 `sixkit run --config gateway.toml` 启动",
        ) from error
    return status
