"""NMEA 0183: sentences out of any bytes, fixes out of sentences, and everything that must not become one."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import nmea
from protocol.geo import E7, Position
from protocol.nmea import Battery, Key, Located, Receiver, Refused, Scanner, Spread, parse, sentence

RMC = "GNRMC,055234.000,A,4739.71890,N,12219.58362,W,0.00,286.35,050826,,,A,V"
GGA = "GNGGA,055234.000,4739.71890,N,12219.58362,W,1,12,1.10,45.2,M,-18.5,M,,"
SEATTLE = (476_619_817, -1_223_263_937)
RECORDED = ("beidou-gb", "quectel-l76k-nmea", "st-teseo-liv4f", "unicore-um621")

printable = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="$*"), max_size=90)


def refusal(text: str) -> str:
    with pytest.raises(Refused) as refused:
        parse(text)
    return refused.value.reason


# --- the scanner ---


@given(st.lists(st.one_of(printable.map(sentence), st.binary(max_size=40), st.just(b"$"), st.just(b"*"))), st.data())
def test_any_split_of_the_bytes_gives_the_same_sentences_and_counts(pieces: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(pieces)
    whole, split = Scanner(), Scanner()
    expected = whole.feed(stream)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    found = [
        text
        for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for text in split.feed(stream[begin:end])
    ]
    assert found == expected
    assert split.counters == whole.counters


@given(st.lists(printable, max_size=8), st.binary(max_size=60).filter(lambda junk: b"$" not in junk))
def test_sentences_are_found_whatever_stands_between_them(texts: list[str], junk: bytes) -> None:
    found = Scanner().feed(junk + junk.join(sentence(text) for text in texts))
    assert found == texts


def test_a_sentence_is_found_before_its_line_ends() -> None:
    assert Scanner().feed(sentence("PSXK,SOS,1").rstrip()) == ["PSXK,SOS,1"]


@given(st.lists(st.binary(min_size=1, max_size=500).map(lambda some: some.replace(b"*", b"+"))))
def test_memory_is_bounded(pieces: list[bytes]) -> None:
    scanner = Scanner()
    for piece in pieces:
        scanner.feed(piece)
        assert len(scanner._open or b"") < nmea.SENTENCE_BYTES_MAX


@pytest.mark.parametrize(
    ("data", "counters"),
    [
        (b"$GPGGA,1*00\r\n", {"bad_checksum": 1}),
        (b"$GPGGA,1*+7\r\n", {"bad_checksum": 1}),
        (b"$GPGGA,1\r\n$GPGGA$", {"truncated": 2}),
        (b"$" + b"A" * 200 + b"*00\r\n", {"oversize": 1}),
        (b"$GPG\xffGA*00", {"truncated": 1}),
        (b"$$$$\r\n# a comment\r\n", {}),
    ],
)
def test_what_began_as_a_sentence_and_is_none_is_counted_by_reason(data: bytes, counters: dict[str, int]) -> None:
    scanner = Scanner()
    assert scanner.feed(data) == []
    assert scanner.counters == counters


def test_the_longest_sentence_has_its_limit() -> None:
    longest = "A" * (nmea.SENTENCE_BYTES_MAX - 4)
    assert Scanner().feed(sentence(longest)) == [longest]
    assert Scanner().feed(sentence(longest + "A")) == []


# --- one sentence ---


def test_rmc_and_gga_of_every_talker_say_where_the_receiver_is() -> None:
    for talker in nmea.TALKERS:
        for text in (RMC, GGA):
            said = parse(talker + text[2:])
            assert isinstance(said, Located)
            assert said.position is not None
            assert said.position[:2] == SEATTLE
            assert said.time_ms == ((5 * 60 + 52) * 60 + 34) * 1000
    assert parse(RMC).day == date(2026, 8, 5)  # type: ignore[union-attr]
    assert parse(GGA).position[2:] == (0, 55, 1, 12)  # type: ignore[union-attr,index]


@pytest.mark.parametrize(
    "text",
    [
        RMC.replace(",A,4739", ",V,4739"),
        RMC.replace(",A,V", ",N,V"),
        GGA.replace("W,1,12", "W,0,12"),
        GGA.replace("W,1,12", "W,1,00"),  # gpsd too takes it for no fix
        GGA.replace("W,1,12", "W,1,"),
        GGA.replace("W,1,12", "W,,12"),
    ],
)
def test_a_receiver_without_a_fix_says_so_whatever_position_it_repeats(text: str) -> None:
    said = parse(text)
    assert isinstance(said, Located)
    assert said.position is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *((RMC.replace(",A,V", f",{mode},V"), "not_measured") for mode in "EMS"),
        *((GGA.replace("W,1,12", f"W,{quality},12"), "not_measured") for quality in "678"),
        (RMC.replace("4739.71890", "4760.00000"), "bad_coordinate"),
        (RMC.replace("4739.71890", "36000.0000").replace("12219.58362", "72000.0000"), "bad_coordinate"),
        (RMC.replace("4739.71890", "9000.00001"), "out_of_range"),
        (RMC.replace("12219.58362", "18000.00001"), "out_of_range"),
        (RMC.replace("4739.71890", "nan"), "bad_coordinate"),
        (RMC.replace("4739.71890", ""), "bad_coordinate"),
        (RMC.replace(",N,", ",,"), "bad_coordinate"),
        (RMC.replace(",W,", ",N,"), "bad_coordinate"),
        (RMC.replace("4739.71890", "0000.0000").replace("12219.58362", "00000.0000"), "zero_zero"),
        (RMC.replace("055234", "245234"), "bad_time"),
        (RMC.replace("055234.000", ""), "bad_time"),
        ("GNRMC,055234.000", "malformed"),
        ("GNGGA", "malformed"),
        ("BDTXR,1,0999999,1,0,hello", "unused"),  # RDSS
        ("GBGSV,1,1,01,14,30,200,35,B", "unused"),
        ("PQTMVER,1", "unused"),
        ("XXRMC" + RMC[5:], "unused"),
        ("", "unused"),
        ("PSXK,SOS,0", "malformed"),
        ("PSXK,SOS,65536", "malformed"),
        (f"PSXK,SOS,{2**48}", "malformed"),
        ("PSXK,SOS,-1", "malformed"),
        ("PSXK,SOS", "malformed"),
        ("PSXK,BAT,101", "malformed"),
        ("PSXK,ACK,1", "malformed"),
    ],
)
def test_what_says_nothing_that_can_be_used_is_refused_with_its_reason(text: str, reason: str) -> None:
    assert refusal(text) == reason


def test_a_leap_second_and_a_day_that_does_not_exist_spoil_no_position() -> None:
    said = parse(RMC.replace("055234", "235960").replace("050826", "310226"))
    assert isinstance(said, Located)
    assert (said.time_ms, said.day) == (86_400_000, None)
    assert said.position is not None


@pytest.mark.parametrize("hdop", ["nan", "inf", "-1", "1e9", "", "x"])
def test_an_accuracy_that_no_receiver_means_is_unknown(hdop: str) -> None:
    said = parse(GGA.replace("1.10", hdop))
    assert isinstance(said, Located)
    assert said.position is not None
    assert said.position.accuracy_dm == 0


@given(
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)), st.sampled_from(["", "GNRMC,", "BDGGA,", "GNGST,"])
)
def test_any_text_says_something_on_earth_or_is_refused(text: str, head: str) -> None:
    try:
        said = parse(head + text)
    except Refused:
        return
    assert not isinstance(said, Located) or said.position is None or abs(said.position[0]) <= 90 * E7


@given(st.integers(0, 12), st.integers(0, 40), st.sampled_from([RMC, GGA]))
def test_a_sentence_that_lacks_its_end_gives_no_position(fields: int, characters: int, text: str) -> None:
    """With its checksum made good, as two damages that cancel out would."""
    cut = ",".join(text.split(",")[:fields])[: characters or None]
    for found in Scanner().feed(sentence(cut)):
        try:
            said = parse(found)
        except Refused:
            continue
        assert isinstance(said, Located)
        assert said.position is None or said.position[:2] == SEATTLE


def test_keys_carry_their_boot_and_number_and_the_acknowledgement_names_both() -> None:
    key = parse(f"PSXK,FALL,{7 << 16 | 3}")
    assert isinstance(key, Key)
    assert (key.kind, key.source) == ("bracelet_fall", (7, 3))
    assert parse("PSXK,SOS,1").kind == "bracelet_sos"  # type: ignore[union-attr]
    assert nmea.acknowledgement(458755) == b"$PSXK,ACK,458755*57\r\n"
    assert parse("PSXK,BAT,15") == Battery(15)


# --- dates ---


@pytest.mark.parametrize(
    ("day", "fault"),
    [
        (date(2026, 8, 5), None),
        (date(2026, 8, 7), None),
        (date(2006, 12, 20), "date_rolled_over"),  # 1024 weeks
        (date(1987, 5, 6), "date_rolled_over"),  # 2048
        (date(2026, 8, 20), "date_wrong"),
        (date(2000, 1, 1), "date_wrong"),
    ],
)
def test_a_day_that_is_weeks_out_of_count_is_told_from_one_that_is_just_wrong(day: date, fault: str | None) -> None:
    arrival_ms = int(datetime(2026, 8, 5, 5, 52, tzinfo=UTC).timestamp() * 1000)
    assert nmea.date_fault(day, arrival_ms) == fault


# --- fixes ---


def fixes(texts: Iterable[str], receiver: Receiver | None = None, every_ms: int = 10) -> list[Position]:
    return [position for _, position in timed(texts, receiver or Receiver(), every_ms)]


def timed(texts: Iterable[str], receiver: Receiver, every_ms: int = 10) -> Iterator[tuple[int, Position]]:
    """Each fix, with the moment of the day that it is of."""
    before = 0
    for number, text in enumerate(texts):
        try:
            said = parse(text)
        except Refused:
            continue
        assert isinstance(said, Located | Spread)
        fix = receiver.take(said, number * every_ms)
        if fix is not None:
            yield (said.time_ms if isinstance(said, Located) and receiver._told else before), fix
        before = said.time_ms if isinstance(said, Located) else before


def at(text: str, second: int) -> str:
    return text.replace("055234.000", f"0552{second:02d}.000")


def test_two_sentences_of_one_moment_are_one_fix_at_once() -> None:
    assert fixes([RMC, GGA, RMC, GGA]) == [Position(*SEATTLE, 10, 55, 1, 12)]  # the same moment again is no news
    assert len(fixes([GGA, RMC, at(GGA, 35), at(RMC, 35)])) == 2


def test_a_sentence_that_stands_alone_is_a_fix_when_the_next_moment_begins() -> None:
    found = fixes([GGA, at(GGA, 35), at(GGA, 36)], every_ms=1000)
    assert [fix.age_ms for fix in found] == [1000, 1000]


def test_sentences_that_disagree_or_of_which_one_knows_of_no_fix_are_none() -> None:
    receiver = Receiver()
    swapped = RMC.replace("4739.71890", "4739.17890")  # two neighbours have changed places: 1 km, the same checksum
    assert nmea.checksum(swapped.encode()) == nmea.checksum(RMC.encode())
    assert fixes([swapped, GGA, at(RMC, 35)], receiver) == []
    assert receiver.counters == {"disagree": 1}
    assert fixes([RMC.replace(",A,4739", ",V,4739"), GGA, at(RMC, 35)]) == []


def test_what_gst_says_of_the_error_counts_more_than_hdop_while_it_is_fresh() -> None:
    gst = "GNGST,055234.000,6.1,4.0,4.0,61.0,3.0,4.0,4.8"
    assert [fix.accuracy_dm for fix in fixes([gst, RMC, GGA])] == [50]
    old = fixes([gst, RMC, GGA], every_ms=nmea.GST_MS_MAX)
    assert [fix.accuracy_dm for fix in old] == [55]


# --- recorded receivers ---


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_receivers_are_where_gpsd_says(recorded: Path, name: str) -> None:
    scanner, receiver = Scanner(), Receiver()
    texts = scanner.feed((recorded / "gnss" / f"{name}.log").read_bytes())
    found = {time_ms: fix[:2] for time_ms, fix in timed(texts, receiver)}
    expected = {}
    with gzip.open(recorded / "gnss" / f"{name}.log.chk.gz", "rt", errors="replace") as lines:
        for line in lines:
            report = json.loads(line) if line.startswith('{"class":"TPV"') else {}
            if "lat" in report and "time" in report:
                time_ms = nmea.day_ms(report["time"][11:-1].replace(":", ""))
                expected[time_ms] = round(report["lat"] * E7), round(report["lon"] * E7)
    assert expected
    assert {time_ms: found.get(time_ms or 0) for time_ms in expected} == expected
