"""The agent's status over a Unix socket: one JSON object for each connection, and the asking of it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from protocol.words import Unavailable

ANSWER_S_MAX: Final = 3.0  # an agent that takes longer is stuck, and that is what the asker must hear
START_S_MAX: Final = 0.2  # usually 1 ms
RETRY_S: Final = 2.0  # a disk that heals is used again within so long
STATUS_BYTES_MAX: Final = 1 << 20


class StatusServer:
    """Answers each connection with what `ask` returns; a slow or hostile client holds up nobody else for long.

    The socket is made by the thread, and tried again where its folder cannot be written: a gateway whose disk is full,
    failing or hung must watch all the same. `failed` is told why, once for each reason.
    """

    def __init__(self, path: Path, ask: Callable[[], dict[str, Any]], failed: Callable[[str], None]):
        self._path = path
        self._ask = ask
        self._failed = failed
        self._why = ""
        self._socket: socket.socket | None = None
        self._inode = 0
        self._tried = threading.Event()
        self._closing = threading.Event()

    def start(self) -> None:
        """Returns when it listens or cannot, or after START_S_MAX where the disk hangs."""
        threading.Thread(target=self._run, name="status", daemon=True).start()
        self._tried.wait(START_S_MAX)

    def close(self) -> None:
        self._closing.set()
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread, which closing it would not
            with contextlib.suppress(OSError):
                if os.stat(self._path).st_ino == self._inode:  # and not another agent's, started since
                    self._path.unlink()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                with socket.socket(socket.AF_UNIX) as listening:
                    self._listen(listening)
                    self._serve(listening)
            except OSError as error:
                self._tell(str(error))
                self._tried.set()
            self._closing.wait(RETRY_S)

    def _listen(self, listening: socket.socket) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        with _address(self._path) as address:
            listening.bind(address)
        os.chmod(self._path, 0o660)
        self._inode = os.stat(self._path).st_ino
        listening.listen(4)
        self._socket = listening
        self._why = ""
        self._tried.set()

    def _serve(self, listening: socket.socket) -> None:
        while not self._closing.is_set():
            client, _ = listening.accept()
            with client, contextlib.suppress(OSError):
                client.settimeout(ANSWER_S_MAX)
                client.sendall(json.dumps(self._ask(), ensure_ascii=False).encode() + b"\n")

    def _tell(self, why: str) -> None:
        if why != self._why and not self._closing.is_set():
            self._why = why
            self._failed(why)


@contextlib.contextmanager
def _address(path: Path) -> Iterator[str]:
    """What to bind or connect to for `path`: a Unix socket's address holds 107 bytes, so by way of the open folder."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def ask(path: Path) -> dict[str, Any]:
    """The status of the agent whose socket is at `path`. Raises Unavailable where none answers."""
    answer = bytearray()
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(ANSWER_S_MAX)
            with _address(path) as address:
                client.connect(address)
            while len(answer) < STATUS_BYTES_MAX and (more := client.recv(65536)):
                answer += more
        status: dict[str, Any] = json.loads(answer)
    except (OSError, ValueError) as error:
        raise Unavailable(
            f"no agent answers at {path} ({error}); start it with `sixkit run --config gateway.toml`",
            f"{path} 无网关程序应答（{error}）；请用 `sixkit run --config gateway.toml` 启动",
        ) from error
    return status
