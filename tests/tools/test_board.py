"""The played home on the real board: what it needs is said at once, and its picture shows the whole evening."""

from __future__ import annotations

from pathlib import Path

import pytest

from sixkit_tools import board
from sixkit_tools.browser import chromium


def test_a_picture_without_a_browser_is_refused_before_anything_is_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert board.main(["--picture", str(tmp_path / "board.png")]) == 3
    assert "Chromium" in capsys.readouterr().err
    assert not (tmp_path / "board.png").exists()


@pytest.mark.night
@pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine")
def test_the_evening_ends_in_a_picture(tmp_path: Path) -> None:
    assert board.main(["--picture", str(tmp_path / "board.png"), "--width", "400"]) == 0
    assert (tmp_path / "board.png").read_bytes().startswith(b"\x89PNG")
