"""A real process of the played site: started, watched through its JSON lines, stopped or killed, never left behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from protocol.words import Unavailable

JOURNAL_LINES_MAX: Final = 100_000  # of one process; a soak of 200 kills prints some 20,000
LAST_LINES_MAX: Final = 12  # shown when a process fails: enough for a traceback's end
LINE_BYTES_MAX: Final = 1 << 16
STOP_S_MAX: Final = 10.0  # for a graceful stop, after which it is killed

# The child asks to be killed when we die, whatever kills us, and then becomes the program: an orphaned agent would
# hold the port of the next run. A wrapper instead of preexec_fn, which must not be used in a process with threads.
_WRAPPER: Final = (
    "import ctypes, os, signal, sys; ctypes.CDLL(None).prctl(1, signal.SIGKILL); "
    "os.getppid() == int(sys.argv[1]) or sys.exit(1); os.execv(sys.argv[2], sys.argv[2:])"
)


class Line(NamedTuple):
    """One JSON line of a journal: what it is about, and all of its fields."""

    what: str
    fields: Mapping[str, Any]


class Process:
    """One running program in a process group of its own; `name` is what errors call it."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        cwd: Path,
        environment: Mapping[str, str] | None = None,
        heard: Callable[[str, Line], None] = lambda name, line: None,
    ):
        """Starts it; `heard` takes each line of its journal, from a thread of ours. Raises Unavailable where it cannot
        be started."""
        self.name = name
        self.journal: deque[Line] = deque(maxlen=JOURNAL_LINES_MAX)
        self._heard = heard
        self._last: deque[str] = deque(maxlen=LAST_LINES_MAX)
        self._news = threading.Condition()
        wrapped = [sys.executable, "-I", "-S", "-c", _WRAPPER, str(os.getpid()), *command]
        try:
            self._child = subprocess.Popen(
                wrapped,
                cwd=cwd,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise Unavailable(f"{name}: cannot be started: {error}", f"{name}：无法启动：{error}") from error
        self._reader = threading.Thread(target=self._read, name=f"journal of {name}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._child.pid

    def running(self) -> bool:
        return self._child.poll() is None

    def wait_for(self, what: str, timeout_s: float) -> Line:
        """The first line of the journal about `what`. Raises Unavailable, with the process's last lines, where it ends
        before that or takes longer than `timeout_s`."""
        end_s = time.monotonic() + timeout_s
        while True:
            if found := self.find(what):
                return found
            if not self._reader.is_alive():
                raise self._failed(f"ended (exit code {self._child.wait()})", f"已退出（退出码 {self._child.wait()}）")
            if time.monotonic() > end_s:
                raise self._failed(f'said no "{what}" within {timeout_s:g} s', f"{timeout_s:g} 秒内没有输出 “{what}”")
            with self._news:
                self._news.wait(0.05)

    def find(self, what: str) -> Line | None:
        """The first line of the journal about `what`, if there is one yet."""
        return next((line for line in list(self.journal) if line.what == what), None)

    def last_lines(self) -> str:
        return "\n".join(self._last)

    def kill(self) -> None:
        """SIGKILL to the whole group, and wait until it is gone."""
        self._signal(signal.SIGKILL)
        self._gone()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL after STOP_S_MAX."""
        self._signal(signal.SIGTERM)
        self.resume()  # one that is paused would hear of it only then
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(STOP_S_MAX)
        self.kill()

    def pause(self) -> None:
        """SIGSTOP: it stands where it is; `kill` ends it all the same."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self.running():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, number)

    def _gone(self) -> None:
        self._child.wait()
        self._reader.join(STOP_S_MAX)
        if self._child.stdout:
            self._child.stdout.close()

    def _read(self) -> None:
        assert self._child.stdout
        with contextlib.suppress(ValueError):  # closed under us, by a stop that waited long enough
            while data := self._child.stdout.readline(LINE_BYTES_MAX):
                self._take(data.decode(errors="replace").rstrip())

    def _take(self, text: str) -> None:
        self._last.append(text)
        try:
            fields = json.loads(text)
        except ValueError:
            return
        if isinstance(fields, dict):
            line = Line(str(fields.get("what", "")), fields)
            self.journal.append(line)
            self._heard(self.name, line)
            with self._news:
                self._news.notify_all()

    def _failed(self, en: str, zh: str) -> Unavailable:
        return Unavailable(
            f"{self.name} {en}. Its last lines:\n{self.last_lines()}",
            f"{self.name} {zh}。最后的输出：\n{self.last_lines()}",
        )
