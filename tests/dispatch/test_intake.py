"""The intake commits what is genuine exactly once, receipts what it committed and nothing else, and counts the rest."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from dispatch.desk import LOST_MS, Desk
from dispatch.intake import LATE_MS, Intake
from dispatch.store import Store
from protocol import envelope, topic
from protocol.envelope import SigningKey
from protocol.record import (
    INTERVALS_MAX,
    Command,
    Event,
    EventId,
    Heartbeat,
    Interval,
    Now,
    Receipt,
    Source,
    Stamp,
    decode,
)

NOW = Now(1_790_000_000_000, 60_000)


def key(seed: int, kid: bytes) -> SigningKey:
    private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return envelope.signing_key(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), kid)


CENTRE = key(1, b"centre")
GATEWAYS = {"gw-1": key(2, b"gw-1"), "gw-2": key(3, b"gw-2")}
STRANGER = key(4, b"gw-1")


class Centre:
    """An intake with its desk and database, and what is needed to speak to it."""

    def __init__(self, folder: Path):
        self.store = Store(folder / "centre.db")
        self.desk = Desk(self.store, {"gw-1": "House 1", "gw-2": "House 2"}, NOW)
        keys = {signer.kid: signer.verifying() for signer in GATEWAYS.values()}
        self.intake = Intake(self.store, keys, CENTRE, self.desk)

    def receive(self, *messages: tuple[str, bytes], now: Now = NOW) -> list[Receipt]:
        """The receipts that these messages brought about."""
        outcome = self.intake.receive(messages, now)
        return [receipt(name, payload) for name, payload in outcome.publish]

    def events(self) -> list[str]:
        return [alarm["event_id"] for alarm in self.desk.alarms(1000)]

    def counts(self) -> dict[str, Any]:
        """Counters that are not zero."""
        return {name: value for name, value in self.desk.counters().items() if value}


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    built = Centre(tmp_path)
    yield built
    built.store.close()


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """One for all the messages that must leave nothing behind."""
    built = Centre(tmp_path_factory.mktemp("standing"))
    yield built
    assert built.events() == []
    built.store.close()


def receipt(name: str, payload: bytes) -> Receipt:
    """The receipt in a message, its signature, name and topic checked as a gateway does."""
    _, data = envelope.open(payload, {b"centre": CENTRE.verifying()}, topic.context(topic.RECEIPT))
    found = decode(data)
    assert isinstance(found, Receipt)
    assert name == topic.build(found.gateway, topic.RECEIPT)
    return found


def event(sequence: int, phase: str = "raised", alarm: int | None = None, epoch: int = 1, **changes: Any) -> Event:
    usual = Event(
        gateway="gw-1",
        id=EventId(epoch, sequence),
        alarm=EventId(epoch, alarm if alarm is not None else sequence),
        kind="smoke",
        phase=phase,
        severity="life",
        link="held",
        terminal="smoke-1",
        room="kitchen",
        time=Stamp.of(NOW, boot=1),
    )
    return replace(usual, **changes)


def message(
    record: Event | Heartbeat, leaf: str = topic.ALARM, signer: SigningKey | None = None, age_ms: int | None = 0
) -> tuple[str, bytes]:
    data = record.to_record(1, age_ms) if isinstance(record, Event) else record.to_record()
    sealed = envelope.seal(data, signer or GATEWAYS[record.gateway], topic.context(leaf))
    return topic.build(record.gateway, leaf), sealed


def heartbeat(number: int, gateway: str = "gw-1") -> Heartbeat:
    return Heartbeat(gateway, number, Stamp.of(NOW, boot=1), "0.1.0", 5, 0, 0, 2, 0)


def test_an_event_is_committed_and_receipted(centre: Centre) -> None:
    assert centre.receive(message(event(1))) == [Receipt("gw-1", (Interval(1, 1, 1),), NOW.wall_ms)]
    assert centre.events() == ["gw-1/1-1"]
    assert centre.counts() == {"events_committed": 1}


def test_a_batch_is_receipted_at_once_for_each_gateway(centre: Centre) -> None:
    other = replace(event(7), gateway="gw-2")
    receipts = centre.receive(message(event(1)), message(other), message(event(2)), message(event(5)))
    assert receipts == [
        Receipt("gw-1", (Interval(1, 1, 2), Interval(1, 5, 5)), NOW.wall_ms),
        Receipt("gw-2", (Interval(1, 7, 7),), NOW.wall_ms),
    ]


def test_a_receipt_makes_up_for_earlier_ones_that_were_lost(centre: Centre) -> None:
    centre.receive(message(event(1)), message(event(2)))
    assert centre.receive(message(event(3)))[0].intervals == (Interval(1, 1, 3),)


def test_a_batch_of_many_gaps_is_receipted_in_several(centre: Centre) -> None:
    sequences = range(0, 4 * INTERVALS_MAX, 2)
    receipts = centre.receive(*(message(event(n)) for n in sequences))
    assert [len(one.intervals) for one in receipts] == [INTERVALS_MAX, INTERVALS_MAX]
    assert {i.first for one in receipts for i in one.intervals} == set(sequences)


def test_a_repeat_is_counted_and_receipted_again(centre: Centre) -> None:
    first = centre.receive(message(event(1)))
    assert centre.receive(message(event(1)), message(event(1))) == first
    assert centre.events() == ["gw-1/1-1"]
    assert centre.counts() == {"events_committed": 1, "repeats_absorbed": 2}


def test_what_is_taken_and_what_is_repeated_has_its_line_in_the_journal(centre: Centre) -> None:
    about = {"event_id": "gw-1/1-1", "gateway": "gw-1", "terminal": "smoke-1", "kind": "smoke", "phase": "raised"}
    [committed, opened] = centre.intake.receive([message(event(1), age_ms=LATE_MS + 1)], NOW).notes
    [incident] = centre.desk.incidents(NOW)
    assert committed == {"what": "committed", **about, "incident": incident["id"], "late": True, "attempt": 1}
    assert opened["what"] == "incident"
    assert centre.intake.receive([message(event(1))], NOW).notes == [{"what": "repeat", **about, "stored": "1-1"}]


def test_a_batch_has_a_line_for_each_thing_in_it(centre: Centre) -> None:
    later = Now(NOW.wall_ms + LOST_MS + 1, NOW.mono_ms + LOST_MS + 1)
    centre.desk.tick(later)
    batch = [message(event(1)), message(heartbeat(1), topic.HEARTBEAT), message(event(2, terminal="smoke-2"))]
    notes = [(note["what"], note.get("kind")) for note in centre.intake.receive(batch, later).notes]
    assert notes == [
        ("committed", "smoke"),
        ("incident", "smoke"),
        ("incident", "gateway_lost"),
        ("committed", "smoke"),
        ("incident", "smoke"),
    ]


def test_the_attempts_of_an_event_are_those_that_came_or_that_the_gateway_counts(centre: Centre) -> None:
    """A gateway that was started again counts from one."""
    name = topic.build("gw-1", topic.ALARM)
    for attempt in (3, 1, 2):
        sealed = envelope.seal(event(1).to_record(attempt), GATEWAYS["gw-1"], topic.context(topic.ALARM))
        centre.receive((name, sealed))
    assert [alarm["attempts"] for alarm in centre.desk.alarms(9)] == [5]


@given(st.permutations(range(6)), st.lists(st.integers(0, 5), max_size=6))
def test_in_whatever_order_and_however_often_each_is_committed_once(order: list[int], again: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        centre = Centre(Path(folder))
        for sequence in order + again:
            centre.receive(message(event(sequence)))
        assert sorted(centre.events()) == [f"gw-1/1-{n}" for n in range(6)]
        assert centre.receive(message(event(0)))[0].intervals == (Interval(1, 0, 5),)
        centre.store.close()


def test_one_event_of_a_terminal_under_two_ids_is_committed_once_and_both_are_receipted(centre: Centre) -> None:
    """The gateway crashed after it sent the first and before it stored it; the terminal told it again."""
    before = event(8, epoch=1, source=Source(99, 4))
    after = event(1, epoch=2, source=Source(99, 4))
    centre.receive(message(before))
    assert centre.receive(message(after))[0].intervals == (Interval(2, 1, 1),)
    assert centre.events() == ["gw-1/1-8"]
    assert centre.counts() == {"events_committed": 1, "repeats_absorbed": 1}
    assert centre.receive(message(after))[0].intervals == (Interval(2, 1, 1),)
    assert [alarm["attempts"] for alarm in centre.desk.alarms(9)] == [3]


def test_another_event_under_the_second_id_is_a_conflict_too(centre: Centre) -> None:
    centre.receive(message(event(8, epoch=1, source=Source(99, 4))))
    centre.receive(message(event(1, epoch=2, source=Source(99, 4))))
    centre.receive(message(event(1, epoch=2, source=Source(99, 5), kind="button", terminal="button-1")))
    assert centre.counts() == {"events_committed": 1, "repeats_absorbed": 1, "conflicts": 1}


def test_what_names_the_second_id_as_its_alarm_finds_the_incident(centre: Centre) -> None:
    centre.receive(message(event(8, epoch=1, source=Source(99, 4))))
    centre.receive(message(event(1, epoch=2, source=Source(99, 4))))
    centre.receive(message(event(2, "restored", alarm=1, epoch=2, source=Source(99, 5), terminal="renamed")))
    [incident] = centre.desk.incidents(NOW)
    assert incident["phase"] == "restored"
    assert [one["event_id"] for one in incident["events"]] == ["gw-1/1-8", "gw-1/2-2"]


@pytest.mark.parametrize("phases", [("updated", "raised"), ("raised", "updated")])
def test_a_press_told_again_by_a_gateway_that_lost_its_memory_is_no_other(
    centre: Centre, phases: tuple[str, str]
) -> None:
    """It knew of an earlier press when it told this one first, or it learns of one only afterwards."""
    first, second = phases
    centre.receive(message(event(7, alarm=7, source=Source(99, 3))))
    centre.receive(message(event(8, first, alarm=7, source=Source(99, 4))))
    centre.receive(message(event(1, second, epoch=2, source=Source(99, 4))))
    assert centre.events() == ["gw-1/1-7", "gw-1/1-8"]
    centre.receive(message(event(2, "restored", alarm=1, epoch=2, source=Source(99, 5))))
    assert [one["phase"] for one in centre.desk.incidents(NOW)] == ["restored"]


def test_raised_and_restored_of_one_terminal_event_number_are_two_events(centre: Centre) -> None:
    centre.receive(message(event(1, source=Source(9, 1))), message(event(2, "restored", 1, source=Source(9, 1))))
    assert len(centre.events()) == 2


def test_an_event_in_doubt_does_not_take_the_place_of_the_genuine_one(centre: Centre) -> None:
    centre.receive(message(event(1, source=Source(9, 1), flags=("unverified",))))
    [doubtful] = centre.desk.incidents(NOW)
    centre.receive(message(event(2, source=Source(9, 1))))
    [verified] = centre.desk.incidents(NOW)
    assert (doubtful["unverified"], verified["unverified"]) == (True, False)
    assert len(centre.events()) == 2


def test_another_event_under_a_committed_id_leaves_the_first_and_is_a_matter_of_security(centre: Centre) -> None:
    centre.receive(message(event(1)))
    other = message(event(1, kind="button", terminal="button-1"))
    outcome = centre.intake.receive([other], NOW)
    assert [note["what"] for note in outcome.notes] == ["security", "incident"]
    assert outcome.notes[0] == {
        "what": "security",
        "reason": "conflict",
        "event_id": "gw-1/1-1",
        "gateway": "gw-1",
        "terminal": "button-1",
        "kind": "button",
        "phase": "raised",
    }
    assert [receipt(*one).intervals for one in outcome.publish] == [(Interval(1, 1, 1),)]
    assert [alarm["kind"] for alarm in centre.desk.alarms(9)] == ["smoke"]
    assert {(i["kind"], i["unverified"]) for i in centre.desk.incidents(NOW)} == {("smoke", False), ("button", True)}
    assert centre.receive(other)
    assert centre.counts() == {"events_committed": 1, "conflicts": 1, "repeats_absorbed": 1}
    centre.receive(message(event(1, kind="gas", terminal="gas-1")))
    centre.receive(message(event(1, "updated")))
    assert centre.counts() == {"events_committed": 1, "conflicts": 3, "repeats_absorbed": 1}


def test_an_event_that_differs_only_in_what_the_gateway_learnt_since_is_a_repeat(centre: Centre) -> None:
    centre.receive(message(event(1, flags=("unstored",))))
    centre.receive(message(event(1)))
    assert centre.counts() == {"events_committed": 1, "repeats_absorbed": 1}


@pytest.mark.parametrize(
    ("age_ms", "late"), [(0, False), (LATE_MS, False), (LATE_MS + 1, True), (None, True), (2**62, True)]
)
def test_an_old_event_is_taken_and_marked_late(centre: Centre, age_ms: int | None, late: bool) -> None:
    centre.receive(message(event(1), age_ms=age_ms))
    assert [alarm["late"] for alarm in centre.desk.alarms(9)] == [late]
    assert [incident["late"] for incident in centre.desk.incidents(NOW)] == [late]


def test_a_kind_nobody_here_knows_is_an_alarm(centre: Centre) -> None:
    centre.receive(message(event(1, kind="meteorite")))
    assert [incident["kind"] for incident in centre.desk.incidents(NOW)] == ["meteorite"]


# --- what the centre has lost ---


def commands(centre: Centre, *messages: tuple[str, bytes], now: Now = NOW) -> list[Command]:
    """The commands that these messages brought about, opened as a gateway does."""
    found = []
    for name, payload in centre.intake.receive(messages, now).publish:
        if name == topic.build("gw-1", topic.COMMAND):
            _, data = envelope.open(payload, {b"centre": CENTRE.verifying()}, topic.context(topic.COMMAND))
            command = decode(data)
            assert isinstance(command, Command)
            found.append(command)
    return found


def telling(*settled: Interval, number: int = 1) -> tuple[str, bytes]:
    return message(replace(heartbeat(number), settled=settled), topic.HEARTBEAT)


def test_what_a_gateway_still_has_and_the_centre_lacks_is_asked_for(centre: Centre) -> None:
    centre.receive(message(event(1)), message(event(3)))
    asked = commands(centre, telling(Interval(1, 1, 4)))
    assert [one.intervals for one in asked] == [(Interval(1, 4, 4), Interval(1, 2, 2))]
    assert (asked[0].gateway, asked[0].echo) == ("gw-1", 1)
    assert centre.counts() == {"events_committed": 2, "asked_again": 1}


def test_it_is_told_in_the_journal(centre: Centre) -> None:
    notes = centre.intake.receive([telling(Interval(1, 1, 4))], NOW).notes
    assert notes == [{"what": "asked_again", "gateway": "gw-1", "intervals": [[1, 1, 4]]}]


def test_the_heartbeat_is_answered_all_the_same(centre: Centre) -> None:
    published = centre.intake.receive([telling(Interval(1, 1, 4))], NOW).publish
    assert [name for name, _ in published] == [topic.build("gw-1", leaf) for leaf in (topic.RECEIPT, topic.COMMAND)]


def test_what_comes_along_with_the_heartbeat_is_not_lacking(centre: Centre) -> None:
    assert commands(centre, telling(Interval(1, 1, 1)), message(event(1))) == []


def test_an_event_that_is_known_under_another_id_is_not_lacking(centre: Centre) -> None:
    centre.receive(message(event(8, epoch=1, source=Source(99, 4))))
    centre.receive(message(event(1, epoch=2, source=Source(99, 4))))
    assert commands(centre, telling(Interval(1, 8, 8), Interval(2, 1, 1))) == []


def test_of_a_batch_of_heartbeats_the_last_is_answered(centre: Centre) -> None:
    asked = commands(centre, *(telling(Interval(1, n, n), number=n) for n in range(1, 50)))
    assert [(one.echo, one.intervals) for one in asked] == [(49, (Interval(1, 49, 49),))]


def test_nothing_is_asked_for_where_nothing_could_be_committed(centre: Centre) -> None:
    centre.store.run("PRAGMA query_only = ON")
    assert commands(centre, telling(Interval(1, 1, 4))) == []
    centre.store.run("PRAGMA query_only = OFF")
    assert centre.counts() == {"commits_failed": 1}


def test_a_centre_put_back_to_an_old_copy_has_everything_again_once(centre: Centre, tmp_path: Path) -> None:
    events = [event(n, "restored", alarm=n - 1) if n % 2 else event(n) for n in range(2, 30)]
    centre.receive(*map(message, events[:9]))
    centre.store.close()
    copy = (tmp_path / "centre.db").read_bytes()
    assert not (tmp_path / "centre.db-wal").exists()
    centre.receive(*map(message, events[9:]))
    everything = centre.events()
    centre.store.close()
    (tmp_path / "centre.db").write_bytes(copy)
    centre.receive(message(event(30)))  # happens before the centre can ask
    (asked,) = commands(centre, telling(Interval(1, 2, 30)))
    centre.receive(*(message(one) for one in events if any(span.holds(one.id) for span in asked.intervals)))
    assert sorted(centre.events()) == sorted([*everything, "gw-1/1-30"])
    later = Now(NOW.wall_ms + 10_000, NOW.mono_ms + 10_000)
    assert commands(centre, telling(Interval(1, 2, 30), number=2), now=later) == []


def forgeries() -> dict[str, tuple[tuple[str, bytes], str, str]]:
    alarm, receipt_topic = topic.build("gw-1", topic.ALARM), topic.build("gw-1", topic.RECEIPT)
    good, beat = message(event(1)), message(heartbeat(1), topic.HEARTBEAT)
    of_other = envelope.seal(event(1).to_record(), GATEWAYS["gw-2"], topic.context(topic.ALARM))
    about_other = envelope.seal(
        replace(event(1), gateway="gw-2").to_record(), GATEWAYS["gw-1"], topic.context(topic.ALARM)
    )
    beat_as_alarm = envelope.seal(heartbeat(1).to_record(), GATEWAYS["gw-1"], topic.context(topic.ALARM))
    no_record = envelope.seal(b"hello", GATEWAYS["gw-1"], topic.context(topic.ALARM))
    return {
        "a stranger's key": (message(event(1), signer=STRANGER), "signature", "forged"),
        "a key nobody knows": (message(event(1), signer=key(9, b"gw-9")), "unknown_key", "foreign"),
        "another gateway's key": ((alarm, of_other), "other_gateway", "foreign"),
        "another gateway's event": ((alarm, about_other), "other_gateway", "foreign"),
        "another gateway's topic": ((topic.build("gw-2", topic.ALARM), good[1]), "other_gateway", "foreign"),
        "a heartbeat's envelope": ((alarm, beat[1]), "signature", "forged"),
        "a heartbeat as an alarm": ((alarm, beat_as_alarm), "other_record", "malformed"),
        "not a record": ((alarm, no_record), "not_a_map", "malformed"),
        "nothing": ((alarm, b""), "not_cose", "malformed"),
        "too much": ((alarm, bytes(100_000)), "too_long", "malformed"),
        "a topic for gateways": ((receipt_topic, good[1]), "topic", "malformed"),
        "a topic of nobody": (("sixkit/1/GW/up/alarm", good[1]), "topic", "malformed"),
    }


@pytest.mark.parametrize("name", forgeries())
def test_what_is_not_genuine_is_refused_and_counted(centre: Centre, name: str) -> None:
    bad, reason, kind = forgeries()[name]
    outcome = centre.intake.receive([bad, bad], NOW)
    assert outcome.publish == []
    gateway = bad[0].split("/")[2] if name != "a topic of nobody" else ""
    note = {"what": "refused", "reason": reason, "class": kind, "gateway": gateway, "count": 2}
    assert outcome.notes == [note]
    centre.intake.receive([bad], NOW)
    assert centre.counts() == {f"{kind}_refused": 3, "refused": {reason: 3}}
    assert centre.events() == []
    assert centre.desk.incidents(NOW) == []


def test_what_is_genuine_beside_it_is_taken(centre: Centre) -> None:
    bad = [bad for bad, _, _ in forgeries().values()]
    assert centre.receive(*bad, message(event(1)), *bad) == [Receipt("gw-1", (Interval(1, 1, 1),), NOW.wall_ms)]


@given(st.text(max_size=60) | st.just(topic.build("gw-1", topic.ALARM)), st.binary(max_size=300))
def test_any_message_is_refused_without_a_crash(standing: Centre, name: str, payload: bytes) -> None:
    outcome = standing.intake.receive([(name, payload)], NOW)
    assert (outcome.publish, len(outcome.notes)) == ([], 1)


@given(st.binary(max_size=300))
def test_anything_that_a_gateway_signs_is_survived(standing: Centre, data: bytes) -> None:
    for leaf in (topic.ALARM, topic.HEARTBEAT):
        sealed = envelope.seal(data, GATEWAYS["gw-1"], topic.context(leaf))
        assert standing.receive((topic.build("gw-1", leaf), sealed)) == []


counts = st.sampled_from([0, 1, 2**63 - 1])
extreme_events = st.builds(
    Event,
    gateway=st.just("gw-1"),
    id=st.builds(EventId, counts, counts),
    alarm=st.builds(EventId, counts, counts),
    kind=st.sampled_from(["smoke", "", "\x00';--"]),
    phase=st.sampled_from(["raised", "updated", "restored", "test"]),
    severity=st.sampled_from(["life", "trouble"]),
    link=st.just("held"),
    terminal=st.sampled_from(["", "a", "\U0001f525" * 64]),
    room=st.text(max_size=8),
    time=st.builds(Stamp, counts, counts, counts, st.sampled_from(["unset", "synchronised"])),
    source=st.none() | st.builds(Source, counts, counts),
    evidence=st.dictionaries(st.text(max_size=3), counts, max_size=3),
)


@given(st.lists(st.tuples(extreme_events, st.none() | counts), max_size=8))
def test_every_record_that_can_be_signed_is_committed_receipted_and_shown(sent: list[tuple[Event, int | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        centre = Centre(Path(folder))
        receipts = centre.receive(*(message(one, age_ms=age_ms) for one, age_ms in sent))
        held = [interval for one in receipts for interval in one.intervals]
        assert all(any(interval.holds(one.id) for interval in held) for one, _ in sent)
        assert len(centre.desk.alarms(99)) == centre.counts().get("events_committed", 0)
        for incident in centre.desk.incidents(NOW):
            assert centre.desk.incident(incident["id"], NOW) == incident
        centre.store.close()


def test_a_heartbeat_is_answered_with_its_own_number(centre: Centre) -> None:
    receipts = centre.receive(message(heartbeat(7), topic.HEARTBEAT), message(event(1)))
    assert receipts == [
        Receipt("gw-1", (Interval(1, 1, 1),), NOW.wall_ms),
        Receipt("gw-1", (), NOW.wall_ms, echo=7),
    ]


def test_of_many_heartbeats_at_once_the_last_of_each_gateway_is_answered(centre: Centre) -> None:
    flood = [message(heartbeat(number), topic.HEARTBEAT) for number in range(1, 50)]
    assert [one.echo for one in centre.receive(*flood)] == [49]


def test_keys_can_be_replaced_while_it_runs(centre: Centre) -> None:
    newer = key(8, b"gw-1#2")
    assert centre.receive(message(event(1), signer=newer)) == []
    centre.intake.keys = {**centre.intake.keys, b"gw-1#2": newer.verifying()}
    assert len(centre.receive(message(event(1), signer=newer), message(event(2)))) == 1
    assert sorted(centre.events()) == ["gw-1/1-1", "gw-1/1-2"]


def test_without_a_commit_there_is_no_receipt_and_afterwards_all_is_well(centre: Centre) -> None:
    [[pages]] = centre.store.rows("PRAGMA page_count")
    centre.store.rows(f"PRAGMA max_page_count = {pages}")
    many = [message(event(n, terminal=f"smoke-{n}")) for n in range(100)]
    outcome = centre.intake.receive([*many, message(heartbeat(1), topic.HEARTBEAT)], NOW)
    assert outcome.publish == []
    [note] = outcome.notes
    assert (note["what"], note["messages"], "full" in note["detail"]) == ("storage", 101, True)
    assert centre.receive(*many) == []
    assert centre.events() == []
    centre.store.rows(f"PRAGMA max_page_count = {pages + 1000}")
    assert centre.receive(*many)[0].intervals == (Interval(1, 0, 99),)
    assert centre.counts() == {"events_committed": 100, "commits_failed": 2}


def test_counts_of_refusals_outlive_a_restart(tmp_path: Path) -> None:
    before = Centre(tmp_path)
    before.receive(message(event(1), signer=STRANGER))
    before.receive(message(event(1)))
    before.store.close()
    after = Centre(tmp_path)
    assert after.counts() == {"events_committed": 1, "forged_refused": 1, "refused": {"signature": 1}}
    after.store.close()


COMMITTER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import importlib.util
spec = importlib.util.spec_from_file_location("intake_test", sys.argv[3])
test = importlib.util.module_from_spec(spec)
sys.modules["intake_test"] = test
spec.loader.exec_module(test)
centre = test.Centre(Path(sys.argv[1]))
for sequence in range(100_000):
    for one in centre.receive(test.message(test.event(sequence)), test.message(test.event(sequence, epoch=2))):
        print(" ".join(f"{i.epoch}-{i.last}" for i in one.intervals), flush=True)
"""


@pytest.mark.parametrize("lines", [1, 37, 200])
def test_whatever_was_receipted_before_a_kill_is_in_the_database(tmp_path: Path, lines: int) -> None:
    arguments = [sys.executable, "-c", COMMITTER, str(tmp_path), str(Path(__file__).parents[2]), __file__]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as committer:
        assert committer.stdout is not None
        printed = [committer.stdout.readline() for _ in range(lines)]
        committer.send_signal(signal.SIGKILL)
        printed += committer.stdout.read().splitlines()
    receipted = {f"gw-1/{one}" for line in printed for one in line.split()}
    centre = Centre(tmp_path)
    assert centre.store.kept_aside == []
    found = centre.store.rows("SELECT gateway || '/' || epoch || '-' || sequence FROM events")
    assert receipted
    assert receipted <= {row[0] for row in found}
    [[without]] = centre.store.rows("SELECT count(*) FROM events WHERE incident IS NULL")
    assert without == 0
    centre.store.close()
