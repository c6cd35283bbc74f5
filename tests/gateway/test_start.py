"""The agent as a process where the disk gives it nothing: it must watch all the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from protocol.words import Unavailable
from sim.case import TerminalSpec
from sim.site import Site


def test_an_agent_whose_data_folder_cannot_be_made_starts_and_says_so(tmp_path: Path) -> None:
    with Site(tmp_path, [TerminalSpec("button-1", "button", "bedroom")]) as site:
        (site.gateway_folder / "data").write_text("a file where the folder should be")
        site.start("agent")
        assert site.process("agent").wait_for("storage", 5.0).fields["ok"] is False
        assert "status" in site.process("agent").wait_for("trouble", 5.0).fields["detail"]
        with pytest.raises(Unavailable):
            site.status()


def test_a_second_agent_on_the_same_data_is_told_and_disturbs_nothing(tmp_path: Path) -> None:
    with Site(tmp_path, [TerminalSpec("button-1", "button", "bedroom")]) as site:
        site.start("agent")
        epoch = (site.gateway_folder / "data" / "epoch").read_bytes()
        command = [sys.executable, "-m", "sixkit_tools", "run", "--config", "gateway.toml"]
        second = subprocess.run(command, cwd=site.gateway_folder, capture_output=True, encoding="utf-8", timeout=20)
        assert second.returncode == 3
        assert "running already" in second.stderr
        assert site.status()["gateway"] == "gw-1"
        assert (site.gateway_folder / "data" / "epoch").read_bytes() == epoch
        site.kill("agent")
        site.start("agent")  # a killed one holds nothing
