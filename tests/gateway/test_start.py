"""The agent as a process where the disk gives it nothing: it must watch all the same."""

from __future__ import annotations

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
