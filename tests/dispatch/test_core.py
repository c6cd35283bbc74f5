"""The thread that owns the database: what waits is bounded, and nothing that it is given ends it."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from dispatch import core
from dispatch.clock import Clock
from dispatch.config import GatewaysFile
from dispatch.core import Core, Inbox
from dispatch.desk import Desk
from dispatch.intake import Intake, Outcome
from dispatch.journal import Journal
from dispatch.store import Store
from protocol.record import Now


class PoisonedIntake:
    """Answers every message, and fails on one of them as only a fault of ours could make it fail."""

    keys: object = None

    def __init__(self) -> None:
        self.batches: list[int] = []

    def commands(self) -> list[tuple[str, bytes]]:
        return []

    def receive(self, messages: Sequence[tuple[str, bytes]], now: Now) -> Outcome:
        self.batches.append(len(messages))
        if any(payload == b"poison" for _, payload in messages):
            raise RuntimeError("a fault of ours")
        return Outcome(publish=[(topic, payload) for topic, payload in messages])


class Setting:
    """A core on a real database, with an intake of the test's."""

    def __init__(self, folder: Path):
        (folder / "gateways.toml").write_text("")
        clock = Clock()
        self.store = Store(folder / "centre.db")
        self.journal = Journal(True, clock.now, io.StringIO())
        self.intake = PoisonedIntake()
        self.published: list[bytes] = []
        self.core = Core(
            self.store,
            Desk(self.store, {}, clock.now()),
            cast(Intake, self.intake),
            GatewaysFile(folder / "gateways.toml"),
            clock,
            self.journal,
            self._publish,
        )

    def _publish(self, topic: str, payload: bytes) -> bool:
        self.published.append(payload)
        return payload != b"refused"


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    setting = Setting(tmp_path)
    yield setting
    if setting.core.is_alive():
        assert setting.core.stop(5)
    setting.store.close()
    setting.journal.close()


def test_what_waits_is_taken_as_one_batch_of_bounded_size(setting: Setting) -> None:
    for number in range(core.BATCH_MAX + 10):
        setting.core.inbox.put("t", b"%d" % number)
    setting.core.start()
    assert setting.core.stop(5)
    assert setting.intake.batches == [core.BATCH_MAX, 10]
    assert setting.published == [b"%d" % number for number in range(core.BATCH_MAX + 10)]


def test_a_message_that_breaks_the_intake_keeps_out_no_other(setting: Setting) -> None:
    for payload in (b"1", b"poison", b"2"):
        setting.core.inbox.put("t", payload)
    setting.core.start()
    assert setting.core.stop(5)
    assert setting.published == [b"1", b"2"]
    assert setting.core.inbox.counters["intake_failed"] == 1


def test_a_receipt_that_cannot_be_sent_is_counted(setting: Setting) -> None:
    setting.core.inbox.put("t", b"refused")
    setting.core.start()
    assert setting.core.stop(5)
    assert setting.core.inbox.counters["receipts_dropped"] == 1


def test_a_question_that_fails_is_the_askers_trouble_alone(setting: Setting) -> None:
    setting.core.start()
    failing = setting.core.inbox.ask(lambda desk, now: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        failing.result(5)
    assert setting.core.inbox.ask(lambda desk, now: desk.incidents(now)).result(5) == []


def test_questions_are_answered_while_messages_keep_coming(setting: Setting) -> None:
    setting.core.start()
    stop = threading.Event()

    def pour() -> None:
        while not stop.is_set():
            setting.core.inbox.put("t", b"1")
            time.sleep(0)

    pouring = threading.Thread(target=pour)
    pouring.start()
    try:
        assert setting.core.inbox.ask(lambda desk, now: "answered").result(5) == "answered"
    finally:
        stop.set()
        pouring.join()


def test_a_full_inbox_drops_the_newest_and_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "MESSAGES_MAX", 3)
    inbox = Inbox()
    for number in range(5):
        inbox.put("t", b"%d" % number)
    assert inbox.take(0)[0] == [("t", b"0"), ("t", b"1"), ("t", b"2")]
    assert inbox.counters["messages_dropped"] == 2


def test_a_gateway_gone_wild_leaves_room_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "GATEWAY_MESSAGES_MAX", 2)
    inbox = Inbox()
    for _ in range(2):
        for number in range(5):
            inbox.put("sixkit/1/wild/up/heartbeat", b"%d" % number)
        inbox.put("sixkit/1/gw-1/up/alarm", b"smoke")
        assert [payload for _, payload in inbox.take(0)[0]] == [b"0", b"1", b"smoke"]
    assert inbox.counters["messages_dropped"] == 6


def test_too_many_questions_are_refused_and_those_given_up_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "ASKS_MAX", 2)
    inbox = Inbox()

    def question(desk: Desk, now: Now) -> Any:
        return None

    first, second, third = (inbox.ask(question) for _ in range(3))
    assert [first.cancelled(), second.cancelled(), third.cancelled()] == [False, False, True]
    first.cancel()
    assert not inbox.ask(question).cancelled()
    assert len(inbox.take(0)[1]) == 2
