"""Siren and resident: a command is run with its words filled in, and one that fails or hangs is said and counted."""

import io
import json
import sys
import time

import pytest

from gateway.drivers import CommandDriver, resident_text
from gateway.journal import Journal
from protocol.record import Now


@pytest.fixture
def journal():
    stream = io.StringIO()
    found = Journal(True, lambda: Now(0, 0), stream)
    yield found
    found.close()


def lines(journal):
    return [json.loads(line) for line in journal._stream.getvalue().splitlines()]


def wait_for(condition):
    until_s = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until_s
        time.sleep(0.01)


def test_a_command_gets_the_values_of_the_call(journal, tmp_path):
    out = tmp_path / "siren state"
    code = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.argv[2])"
    siren = CommandDriver("siren", [sys.executable, "-c", code, str(out), "{state}/{kind}"], journal)
    siren.call(state="on", kind="smoke")
    wait_for(lambda: out.exists() and out.read_text() == "on/smoke")


def test_without_a_command_the_journal_is_the_driver(journal):
    CommandDriver("siren", (), journal).call(state="on", kind="smoke")
    wait_for(lambda: lines(journal))
    assert lines(journal)[0] | {"t": 0} == {"t": 0, "what": "siren", "state": "on", "kind": "smoke"}


@pytest.mark.parametrize("command", [["/nowhere/siren"], [sys.executable, "-c", "raise SystemExit(3)"], ["a\0b"]])
def test_a_command_that_fails_is_said_and_the_next_one_is_still_run(journal, command):
    siren = CommandDriver("siren", command, journal)
    siren.call(state="on", kind="smoke")
    wait_for(lambda: siren.counters["siren_failed"] == 1)
    siren.call(state="off", kind="smoke")
    wait_for(lambda: siren.counters["siren_failed"] == 2)


def test_the_last_word_is_heard_however_many_came_before_it(journal, tmp_path):
    out = tmp_path / "said"
    code = "import sys, time; open(sys.argv[1], 'a').write(sys.argv[2] + ' '); time.sleep(0.2)"
    siren = CommandDriver("siren", [sys.executable, "-c", code, str(out), "{state}"], journal)
    for _ in range(200):
        siren.call(state="off", kind="smoke")
        siren.call(state="on", kind="smoke")
    wait_for(lambda: out.exists() and out.read_text().endswith("on "))
    assert len(out.read_text().split()) <= 2
    assert not siren.counters.total()  # its names are there from the start


def test_a_call_is_replaced_only_by_one_about_the_same(journal, tmp_path):
    out = tmp_path / "told"
    code = "import sys, time; open(sys.argv[1], 'a').write(sys.argv[2] + ' '); time.sleep(0.2)"
    tell = CommandDriver("tell", [sys.executable, "-c", code, str(out), "{message}"], journal)
    tell.call("first", message="first")
    wait_for(out.exists)
    for about in ("button", "smoke"):
        for message in ("sending", "received"):
            tell.call(about, message=f"{about}-{message}")
    wait_for(lambda: out.read_text() == "first button-received smoke-received ")


@pytest.mark.parametrize("message", ["sending", "received", "not_received"])
def test_the_resident_is_told_in_either_language(message):
    assert "紧急呼叫" in resident_text(message, "button", "zh")
    assert "emergency call" in resident_text(message, "button", "en")
    assert "a-new-kind" in resident_text(message, "a-new-kind", "en")


def test_a_call_that_is_not_received_names_the_numbers_to_phone():
    for language in ("zh", "en"):
        assert "120" in resident_text("not_received", "button", language)
        assert "119" in resident_text("not_received", "button", language)


def test_the_resident_hears_that_the_centre_calls_whatever_it_is_about():
    assert resident_text("calling", "", "zh") == "中心正在给您打电话，请接听"
    assert "centre is calling" in resident_text("calling", "button", "en")
