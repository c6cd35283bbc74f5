"""Events to the centre and receipts back: what counts as a receipt, and what a heartbeat's answer proves."""

from __future__ import annotations

import io
from collections import Counter
from itertools import count

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery import HEARTBEATS_ECHOED_MAX, PATH_LOST_MS, Delivery
from gateway.journal import Journal
from protocol import envelope, record, topic
from protocol.envelope import CENTRE_KID
from protocol.record import (
    CALLING,
    RESEND,
    SETTLED_MAX,
    Command,
    Event,
    EventId,
    Interval,
    Now,
    Receipt,
    Stamp,
)

BOOT = 77


def new_key(kid):
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return envelope.signing_key(pem, kid)


GATEWAY, CENTRE, STRANGER = new_key(b"gw-1"), new_key(CENTRE_KID), new_key(CENTRE_KID)


class Wire:
    """An uplink that keeps what it is given, as the broker would see it."""

    def __init__(self):
        self.counters = Counter()
        self.sent = []

    def start(self): ...
    def stop(self): ...

    def send(self, tail, payload):
        self.sent.append((tail, payload))
        return True

    def records(self):
        keys = {b"gw-1": GATEWAY.verifying()}
        return [record.decode(envelope.open(data, keys, topic.context(tail))[1]) for tail, data in self.sent]


@pytest.fixture
def made():
    wire = Wire()
    journal = Journal(True, lambda: Now(0, 0), io.StringIO())
    delivery = Delivery("gw-1", BOOT, {"mqtt-1": wire}, GATEWAY, CENTRE.verifying(), journal)
    yield delivery, wire
    journal.close()


numbers = count(1)


def event(terminal="smoke-1", mono_ms=1000, boot=BOOT, quality="synchronised", wall_ms=1_800_000_000_000):
    identity = EventId(5, next(numbers))
    stamp = Stamp(wall_ms, mono_ms, boot, quality)
    return Event("gw-1", identity, identity, "smoke", "raised", "life", "held", terminal, "", stamp)


def sealed(receipt, key=CENTRE, leaf=topic.RECEIPT):
    return envelope.seal(receipt.to_record(), key, topic.context(leaf))


def at(mono_ms, quality="synchronised"):
    return Now(1_800_000_000_000 + mono_ms, mono_ms, quality)


def test_nothing_is_sent_before_the_uplink_is_up(made):
    delivery, wire = made
    delivery.add([event()])
    delivery.transmit(at(1000))
    assert wire.sent == []
    delivery.uplink_changed("mqtt-1", True, "")
    delivery.transmit(at(1500))
    (sent,) = wire.records()
    assert sent.event.terminal == "smoke-1"
    assert sent.age_ms == 500


def test_what_is_sent_again_says_so_with_its_age(made):
    delivery, wire = made
    delivery.uplink_changed("mqtt-1", True, "")
    delivery.add([event()])
    for ms in (1000, 1001, 30_000):
        delivery.transmit(at(ms))
    assert [(sent.attempt, sent.age_ms) for sent in wire.records()] == [(1, 0), (2, 29_000)]


def test_an_event_of_an_earlier_boot_has_its_age_by_the_wall_clock_or_none(made):
    delivery, wire = made
    delivery.uplink_changed("mqtt-1", True, "")
    delivery.loaded([event(boot=1), event("button-1", boot=1, quality="unset")], {}, at(0))
    delivery.transmit(at(7000))
    assert sorted((sent.event.terminal, sent.age_ms) for sent in wire.records()) == [
        ("button-1", None),
        ("smoke-1", 7000),
    ]


def test_a_receipt_settles_what_it_covers_and_nothing_else(made):
    delivery, _ = made
    events = [event("smoke-1"), event("button-1"), event("flood-1")]
    delivery.add(events)
    first, second, third = (one.id for one in events)
    receipt, asked_ms = delivery.receipt(
        "mqtt-1", sealed(Receipt("gw-1", (Interval(5, first.sequence, second.sequence),), 1)), at(0)
    )
    assert asked_ms is None
    assert delivery.settle(receipt) == [first, second]
    assert delivery.unsettled() == 1
    assert third not in delivery.settle(receipt)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (sealed(Receipt("gw-1", (), 1), STRANGER), "receipt_refused_signature"),
        (sealed(Receipt("gw-2", (), 1)), "receipt_refused_foreign"),
        (sealed(Receipt("gw-1", (), 1), leaf=topic.ALARM), "receipt_refused_signature"),
        (sealed(Receipt("gw-1", (), 1), GATEWAY), "receipt_refused_unknown_key"),
        (b"", "receipt_refused_not_cose"),
    ],
    ids=["a stranger's key", "for another gateway", "not as a receipt", "the gateway's own key", "no bytes"],
)
def test_what_the_centre_did_not_sign_for_this_gateway_settles_nothing(made, payload, reason):
    delivery, _ = made
    assert delivery.receipt("mqtt-1", payload, at(0)) is None
    assert delivery.counters[reason] == 1


@given(st.binary(max_size=300))
def test_any_bytes_from_the_centre_are_a_receipt_or_a_count(data):
    journal = Journal(True, lambda: Now(0, 0), io.StringIO())
    delivery = Delivery("gw-1", BOOT, {"mqtt-1": Wire()}, GATEWAY, CENTRE.verifying(), journal)
    assert delivery.receipt("mqtt-1", data, at(0)) is None
    assert sum(delivery.counters.values()) == 1
    journal.close()


def test_only_the_answer_to_a_heartbeat_of_now_tells_when_it_was_asked(made):
    delivery, wire = made
    delivery.uplink_changed("mqtt-1", True, "")
    delivery.beat(at(100), "0", 1, 2, 0)
    (beat,) = wire.records()
    answer = sealed(Receipt("gw-1", (), 5, echo=beat.number))
    assert delivery.receipt("mqtt-1", answer, at(150))[1] == 100
    assert delivery.receipt("mqtt-1", answer, at(9000))[1] is None  # replayed: tells no time
    assert delivery.receipt("mqtt-1", sealed(Receipt("gw-1", (), 5, echo=beat.number + 1)), at(150))[1] is None


def test_the_path_counts_as_lost_a_while_after_the_last_receipt(made):
    delivery, _ = made
    assert delivery.path_lost(500, at(501)) is None
    assert delivery.receipt_s("mqtt-1", at(501)) is None
    assert delivery.path_lost(500, at(500 + PATH_LOST_MS)) is True
    delivery.receipt("mqtt-1", sealed(Receipt("gw-1", (), 1)), at(200_000))
    assert delivery.path_lost(500, at(200_001)) is False
    assert delivery.receipt_s("mqtt-1", at(203_000)) == 3
    assert delivery.path_lost(500, at(200_000 + PATH_LOST_MS)) is True


# --- what the centre has lost ---

LOST = Interval(5, 1, 9)


def command(echo, key=CENTRE, leaf=topic.COMMAND, gateway="gw-1", action=RESEND):
    return sealed(Command(gateway, echo, 1, action, (LOST,)), key, leaf)


@pytest.fixture
def asked(made):
    """A delivery whose last heartbeat tells what is settled, its uplink, and that heartbeat's number."""
    delivery, wire = made
    delivery.uplink_changed("mqtt-1", True, "")
    delivery.inventory.add([LOST])
    delivery.beat(at(100), "0", 1, 2, 0)
    (beat,) = wire.records()
    wire.sent.clear()
    return delivery, wire, beat.number


def test_a_heartbeat_tells_what_is_settled_a_window_at_a_time(made):
    delivery, wire = made
    delivery.uplink_changed("mqtt-1", True, "")
    delivery.beat(at(0), "0", 1, 2, 0)
    delivery.inventory.replace(Interval(epoch, 1, 1) for epoch in range(SETTLED_MAX + 1))
    for _ in range(3):
        delivery.beat(at(0), "0", 1, 2, 0)
    newest = [SETTLED_MAX - n for n in range(SETTLED_MAX)]
    assert [[one.epoch for one in beat.settled] for beat in wire.records()] == [[], newest, [0], newest]


def test_a_command_answers_a_heartbeat_once(asked):
    delivery, _, number = asked
    assert delivery.command("mqtt-1", command(number)).intervals == (LOST,)
    assert delivery.command("mqtt-1", command(number)) is None
    assert delivery.counters == {"command_refused_stale": 1}


def test_each_action_may_answer_the_same_heartbeat_once(asked):
    delivery, _, number = asked
    assert delivery.command("mqtt-1", command(number)).action == RESEND
    assert delivery.command("mqtt-1", command(number, action=CALLING)).action == CALLING
    assert delivery.command("mqtt-1", command(number, action=CALLING)) is None
    assert delivery.command("mqtt-1", command(number)) is None


def test_the_centre_may_call_on_a_heartbeat_that_tells_nothing_but_not_on_one_of_long_ago(made):
    delivery, wire = made
    delivery.uplink_changed("mqtt-1", True, "")
    for _ in range(HEARTBEATS_ECHOED_MAX + 1):
        delivery.beat(at(0), "0", 1, 2, 0)
    first, *last = (beat.number for beat in wire.records())
    assert delivery.command("mqtt-1", command(first, action=CALLING)) is None
    assert all(delivery.command("mqtt-1", command(number, action=CALLING)) for number in last)


def test_what_no_centre_signed_is_counted_as_forged_and_what_is_merely_old_is_not(asked):
    delivery, _, number = asked
    assert delivery.forged() == 0
    delivery.command("mqtt-1", command(number, STRANGER))
    delivery.command("mqtt-1", command(number, GATEWAY))
    delivery.receipt("mqtt-1", sealed(Receipt("gw-1", (), 5), STRANGER), at(0))
    assert delivery.forged() == 3
    delivery.command("mqtt-1", command(2**40))
    delivery.command("mqtt-1", b"noise")
    assert delivery.forged() == 3


def test_a_receipt_for_the_same_heartbeat_takes_nothing_from_the_command(asked):
    delivery, _, number = asked
    assert delivery.receipt("mqtt-1", sealed(Receipt("gw-1", (), 5, echo=number)), at(150))[1] == 100
    assert delivery.command("mqtt-1", command(number)) is not None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"key": STRANGER}, "signature"),
        ({"key": GATEWAY}, "unknown_key"),
        ({"leaf": topic.RECEIPT}, "signature"),
        ({"gateway": "gw-2"}, "foreign"),
        ({"echo": 2**40}, "stale"),
    ],
)
def test_what_the_centre_does_not_ask_of_this_gateway_now_is_refused(asked, change, reason):
    delivery, _, number = asked
    assert delivery.command("mqtt-1", command(**{"echo": number, **change})) is None
    assert delivery.counters == {f"command_refused_{reason}": 1}


def test_a_receipt_is_no_command(asked):
    delivery, _, number = asked
    assert delivery.command("mqtt-1", sealed(Receipt("gw-1", (), 5, echo=number), leaf=topic.COMMAND)) is None
    assert delivery.counters == {"command_refused_foreign": 1}


def test_a_command_for_a_heartbeat_that_told_nothing_or_long_ago_is_refused(made):
    delivery, wire = made
    delivery.uplink_changed("mqtt-1", True, "")
    delivery.beat(at(0), "0", 1, 2, 0)
    delivery.inventory.add([LOST])
    for _ in range(HEARTBEATS_ECHOED_MAX + 1):
        delivery.beat(at(0), "0", 1, 2, 0)
    empty, first, *last = (beat.number for beat in wire.records())
    assert delivery.command("mqtt-1", command(empty)) is None
    assert delivery.command("mqtt-1", command(first)) is None
    assert all(delivery.command("mqtt-1", command(number)) for number in last)


@given(st.binary(max_size=300))
def test_any_bytes_as_a_command_are_a_count(data):
    journal = Journal(True, lambda: Now(0, 0), io.StringIO())
    delivery = Delivery("gw-1", BOOT, {"mqtt-1": Wire()}, GATEWAY, CENTRE.verifying(), journal)
    assert delivery.command("mqtt-1", data) is None
    assert sum(delivery.counters.values()) == 1
    journal.close()


def test_what_the_centre_has_lost_is_sent_with_its_age_counted_and_settled_once_more(asked):
    delivery, wire, _ = asked
    lost = [event(), event("button-1")]
    assert delivery.again("mqtt-1", lost, at(90_000)) == [one.id for one in lost]
    assert delivery.again("mqtt-1", lost, at(90_000)) == []
    delivery.transmit(at(91_000))
    assert [(sent.event, sent.age_ms) for sent in wire.records()] == [(one, 90_000) for one in lost]
    assert delivery.counters["resent"] == 2
    assert delivery.unsettled() == 2
    receipt = Receipt("gw-1", tuple(Interval(5, one.id.sequence, one.id.sequence) for one in lost), 1)
    assert delivery.settle(receipt) == [one.id for one in lost]
    assert delivery.unsettled() == 0
