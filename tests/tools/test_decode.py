"""`sixkit decode` says what a frame, a record or an envelope is, and of anything else that it is none."""

from __future__ import annotations

import json
import os

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from protocol import envelope, topic
from protocol.record import Event, EventId, Receipt, Source, Stamp
from protocol.wire import codes
from protocol.wire.terminal_end import TerminalEnd
from sixkit_tools.cli import main
from sixkit_tools.decode_cmd import describe

PRIVATE, STRANGER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
KEY = envelope.signing_key(PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), b"gw-1")
ID = EventId(3, 4)
EVENT = Event(
    "gw-1", ID, ID, "smoke", "raised", "life", "held", "smoke-1", "厨房", Stamp(1, 2, 3, "unset"), Source(5, 6)
)


def public(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def sealed(record):
    return envelope.seal(record, KEY, topic.context(topic.ALARM))


def test_a_record_is_told_in_full():
    found = describe(EVENT.to_record(attempt=2, age_ms=70), None)
    assert found["what"] == "record"
    assert found["record"]["attempt"] == 2
    event = found["record"]["event"]
    assert (event["id"], event["kind"], event["room"], event["source"]) == (
        "3-4",
        "smoke",
        "厨房",
        {"boot": 5, "number": 6},
    )
    assert json.loads(json.dumps(found)) == found
    assert describe(Receipt("gw-1", (), 9).to_record(), None)["record"]["wall_ms"] == 9


def test_an_envelope_is_told_with_who_signed_it_and_for_what():
    found = describe(sealed(EVENT.to_record()), public(PRIVATE))
    assert (found["what"], found["kid"], found["signature"], found["signed_for"]) == (
        "envelope",
        "gw-1",
        "good",
        "alarm",
    )
    assert "not checked" in describe(sealed(EVENT.to_record()), None)["signature"]


def test_a_signature_of_another_key_is_an_error():
    found = describe(sealed(EVENT.to_record()), public(STRANGER))
    assert (found["signature"], found["error"]) == ("bad", "signature")


def test_frames_of_the_serial_link_are_told_one_by_one():
    end = TerminalEnd(1001, codes.KINDS.index("smoke"), bytes(32), os.urandom, 0)
    found = describe(end.poll(0), None)
    assert found["what"] == "frames"
    (hello,) = found["frames"]
    assert (hello["type"], hello["address"], hello["kind"]) == ("hello", 1001, "smoke")


@given(st.binary(max_size=300))
def test_any_bytes_are_told_to_be_something_or_nothing(data):
    found = describe(data, None)
    assert json.dumps(found)
    assert found["what"] in ("record", "envelope", "frames", "unknown")


@given(st.data())
def test_a_damaged_envelope_never_has_a_good_signature(data):
    good = sealed(EVENT.to_record())
    at = data.draw(st.integers(0, len(good) - 1))
    bad = good[:at] + bytes([good[at] ^ data.draw(st.integers(1, 255))]) + good[at + 1 :]
    assert describe(bad, public(PRIVATE)).get("signature") != "good"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([EVENT.to_record().hex()], 0),
        (["--json", EVENT.to_record().hex()], 0),
        (["00ff00"], 1),
        (["neither hex nor base64!"], 2),
        (["--file", "/nowhere/at/all"], 3),
    ],
)
def test_its_exit_code_says_whether_it_was_one(words, code, capsys):
    assert main(["decode", *words]) == code
    assert capsys.readouterr().out or code > 1
