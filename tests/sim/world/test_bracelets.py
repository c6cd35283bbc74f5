"""A bracelet's port in virtual time: bytes take their time and overtake nobody; a case is the same each time."""

from __future__ import annotations

from pathlib import Path

from protocol import nmea
from sim.bracelet import REPEAT_MS, Bracelet
from sim.case import load
from sim.world.bracelets import BYTE_MS, Worn
from sim.world.play import play
from sim.world.timeline import Timeline

CASES = Path(__file__).parents[2] / "cases"


def test_a_call_overtakes_no_sentence_that_was_said_before_it_and_arrives_when_its_bytes_do() -> None:
    timeline, heard = Timeline(), [(0, b"")]
    bracelet = Bracelet("bracelet-1", 1, 0, 0)
    worn = Worn(timeline, bracelet, lambda data, port: heard.append((timeline.now, data)))
    worn.turn()
    while not heard[-1][1].startswith(b"$BDRMC"):  # it has just said where it is
        timeline.until(timeline.now + 1)
    said_ms, said = heard[-1]
    timeline.until(said_ms + 1000 - int(len(said) * BYTE_MS))  # and begins to do so again
    bracelet.do("sos", timeline.now)
    worn.turn()
    timeline.until(timeline.now + 1000)
    (where_ms, where), (call_ms, call) = heard[-2:]
    assert where.startswith(b"$BDRMC")
    assert call.startswith(b"$PSXK,SOS,")
    assert call_ms - where_ms >= int(len(call) * BYTE_MS)


def test_what_the_gateway_says_reaches_it() -> None:
    timeline, heard = Timeline(), list[bytes]()
    bracelet = Bracelet("bracelet-1", 1, 0, 0)
    worn = Worn(timeline, bracelet, lambda data, port: heard.append(data))
    worn.turn()
    bracelet.do("sos", 0)
    worn.turn()
    timeline.until(REPEAT_MS // 2)
    call = next(data for data in heard if b"SOS" in data)
    number = call.split(b"SOS,")[1].split(b"*")[0].decode()
    worn.down(nmea.acknowledgement(int(number)))
    assert bracelet.pending() == 1
    timeline.until(timeline.now + 100)
    assert bracelet.pending() == 0


def test_a_case_with_a_bracelet_is_the_same_each_time() -> None:
    first, second = (play(load(CASES / "bracelet_sos_last_known.toml"), keep=True) for _ in range(2))
    assert first.heard == second.heard
    assert first.samples == second.samples
    assert len(first.samples["bracelet-1"]) > 60
