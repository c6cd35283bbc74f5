"""What moves the world outside: the siren, and the chime, voice or light that tells the resident how a call stands."""

from __future__ import annotations

import subprocess
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Final

from gateway.journal import Notes
from protocol.words import KINDS

COMMAND_S_MAX: Final = 10  # a command that takes longer is killed: the next one must be heard
WAITING_MAX: Final = 64  # calls not yet begun, each about something else; beyond it the newest is dropped and counted

# message: (English, Chinese)
RESIDENT_TEXTS: Final = {
    "sending": ("Calling for help: {kind}", "正在呼救：{kind}"),
    "received": ("The centre has received: {kind}", "中心已收到：{kind}"),
    "not_received": ("Not received: {kind}. Please phone 120 or 119", "尚未送达：{kind}。请拨打 120 或 119"),
    "calling": ("The centre is calling you. Please answer the phone", "中心正在给您打电话，请接听"),
    "question": (
        "Are you all right? Then press the button once. If you need help, press it twice",
        "您还好吗？平安请按一次按钮，需要帮助请按两次",
    ),
    "answered": (
        "Thank you: you are all right. If you need help, press again",
        "已记录：您平安。需要帮助请再按一次",
    ),
}


def resident_text(message: str, kind: str, language: str) -> str:
    """The sentence for the resident, in `language`: "zh", or anything else for English."""
    _, kind_en, kind_zh = KINDS.get(kind, ("", kind, kind))
    en, zh = RESIDENT_TEXTS[message]
    return zh.format(kind=kind_zh) if language == "zh" else en.format(kind=kind_en)


class CommandDriver:
    """Runs a command for each call, in order, by a thread of its own, so that a disk or command that hangs holds up
    nothing else. Words such as {state} in the command are replaced by the call's values."""

    def __init__(self, name: str, command: Sequence[str], journal: Notes):
        # There from the start: another thread may add these up at any time.
        self.counters: Counter[str] = Counter({f"{name}_failed": 0})
        self._name = name
        self._command = tuple(command)
        self._journal = journal
        self._waiting: dict[str, dict[str, str]] = {}  # by what they are about, in order
        self._news = threading.Condition()
        if command:
            threading.Thread(target=self._run, name=f"driver {name}", daemon=True).start()

    def call(self, about: str = "", **values: str) -> None:
        """Note it in the journal and run the command, if there is one. Never blocks.

        What counts is how things stand: a call takes the place of one about the same that has not begun, so that the
        last word is heard however fast an alarm comes and goes and however slow the command is.
        """
        self._journal.note(self._name, **values)
        if not self._command:
            return
        with self._news:
            taken = about in self._waiting or len(self._waiting) < WAITING_MAX
            if taken:
                self._waiting[about] = values
                self._news.notify()
        if not taken:
            self._failed("too many calls wait")

    def _next(self) -> dict[str, str]:
        with self._news:
            while not self._waiting:
                self._news.wait()
            return self._waiting.pop(next(iter(self._waiting)))

    def _run(self) -> None:
        while True:
            values = self._next()
            words = [_filled(word, values) for word in self._command]
            try:
                done = subprocess.run(
                    words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=COMMAND_S_MAX, check=False
                )
                if done.returncode:
                    self._failed(f"exit code {done.returncode}")
            except (OSError, ValueError, subprocess.TimeoutExpired) as error:
                self._failed(str(error))

    def _failed(self, detail: str) -> None:
        self.counters[f"{self._name}_failed"] += 1
        self._journal.note("driver_failed", driver=self._name, detail=detail)


def _filled(word: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        word = word.replace("{" + name + "}", value)
    return word
