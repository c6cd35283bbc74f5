"""A pty under a name of its own: bytes both ways, gone while unplugged, and never waiting."""

from __future__ import annotations

from pathlib import Path

import pytest
import serial

from sim.pty_port import PtyPort


def test_bytes_go_both_ways_and_the_name_is_gone_while_unplugged(tmp_path: Path) -> None:
    port = PtyPort(tmp_path / "port")
    assert (port.waits(), port.read()) == ([], b"")
    for _ in range(2):
        port.plug()
        with serial.Serial(str(port.path), timeout=1) as other:
            port.write(b"\x00up\r\n")
            assert other.read(5) == b"\x00up\r\n"
            other.write(b"down")
            other.flush()
            assert len(port.waits()) == 1
            assert port.read() == b"down"
        port.unplug()
        assert not port.path.exists()


@pytest.mark.parametrize("plugged", [True, False])
def test_what_nobody_takes_is_lost_and_counted(tmp_path: Path, plugged: bool) -> None:
    port = PtyPort(tmp_path / "port")
    if plugged:
        port.plug()
    for _ in range(100):
        port.write(b"x" * 4096)
    assert port.bytes_lost > 300_000
    port.unplug()
