"""Recorded receivers in pieces of a second, and gpsd's word on them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from protocol.nmea import sentence
from protocol.words import Told
from sim.gnss_log import Piece, read_checked, read_log

PLACE = "4739.71890,N,12219.58362,W"
GSV, JUNK = sentence("GPGSV,1,1,00"), b"\xb5\x62junk\n"


def rmc(time: str) -> bytes:
    return sentence(f"GNRMC,{time},A,{PLACE},0.00,286.35,050826,,,A,V")


def gga(time: str) -> bytes:
    return sentence(f"GNGGA,{time},{PLACE},1,12,1.10,45.2,M,-18.5,M,,")


def test_a_log_falls_into_pieces_of_one_moment_each_with_all_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"# a comment\n" + GSV + rmc("000001.00") + JUNK + gga("000001.00") + gga("000002.00") + GSV)
    assert read_log(path) == (
        Piece(1000, GSV + rmc("000001.00") + JUNK + gga("000001.00")),
        Piece(2000, gga("000002.00") + GSV),
    )


def test_what_gpsd_said_is_read_by_its_moment(tmp_path: Path) -> None:
    tpv = '{"class":"TPV","mode":3,"time":"2026-08-05T05:52:34.500Z","lat":47.661981667,"lon":-122.326393667}\n'
    path = tmp_path / "a.log"
    assert read_checked(path) == {}
    with gzip.open(tmp_path / "a.log.chk.gz", "wt") as file:
        file.write('$GPGGA\n{"class":"TPV","mode":1}\n{"class"\n[1]\n' + tpv)
    assert read_checked(path) == {21_154_500: (476_619_817, -1_223_263_937)}


@pytest.mark.parametrize("data", [None, b"", b"$GPGSV,1*00\n"])
def test_what_is_no_log_of_a_receiver_is_told_with_its_name(tmp_path: Path, data: bytes | None) -> None:
    path = tmp_path / "a.log"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(Told, match=r"a\.log"):
        read_log(path)


def test_a_recorded_receiver_has_a_piece_for_each_of_gpsds_moments(recorded: Path) -> None:
    path = recorded / "gnss" / "quectel-l76k-nmea.log"
    times = {piece.time_ms for piece in read_log(path)}
    assert read_checked(path).keys() <= times
    assert len(times) == 151 or len(times) == 150
