"""The journal: lines in order for people or machines, and a reader that hangs holds nothing up."""

import io
import json
import os
import time

from gateway.journal import LINES_MAX, Journal
from protocol.record import Now


def now():
    return Now(1_800_000_000_000, 5)


def test_json_lines_hold_time_and_what(capsys):
    stream = io.StringIO()
    journal = Journal(True, now, stream)
    journal.note("raised", kind="smoke", room="厨房")
    journal.close()
    assert json.loads(stream.getvalue()) == {"t": 1_800_000_000_000, "what": "raised", "kind": "smoke", "room": "厨房"}


def test_text_lines_read_as_a_sentence_of_words():
    stream = io.StringIO()
    journal = Journal(False, now, stream)
    journal.note("siren", state="on")
    journal.close()
    assert stream.getvalue().endswith(" siren state=on\n")


def test_a_reader_that_hangs_holds_nothing_up_and_what_is_dropped_is_counted():
    reading, writing = os.pipe()
    with os.fdopen(reading), os.fdopen(writing, "w") as stream:
        journal = Journal(True, now, stream)
        began_s = time.monotonic()
        for _ in range(LINES_MAX + 5000):  # a pipe holds 64 KiB, which is about a thousand lines
            journal.note("raised", kind="smoke", filler="x" * 40)
        assert time.monotonic() - began_s < 5
        assert journal.counters["journal_lines_dropped"] > 0
        os.set_blocking(reading, False)
        while journal._thread.is_alive():  # let the thread end, so that the test leaves nothing behind
            try:
                os.read(reading, 1 << 20)
            except BlockingIOError:
                journal.close(0.01)
