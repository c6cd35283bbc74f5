"""Where the reports of played cases go, and what is said where they cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocol.words import Told
from sim.case import parse
from sim.judge import Outcome
from sim.result import Result
from sixkit_tools.sim_reports import Reports

CASE = b"""title = "T"
[home]
terminals = [{ id = "button-1", kind = "button" }]
[[expect]]
nothing_else = true
"""


def results(count: int) -> list[Result]:
    return [Result(parse(CASE, "case.toml"), [], Outcome([], [], frozenset())) for _ in range(count)]


def test_one_case_is_one_file_whose_folder_is_made(tmp_path: Path) -> None:
    page = tmp_path / "new" / "report.html"
    written = Reports(page, None, [Path("it's.toml")]).write(results(1))
    assert written == [page]
    assert "sixkit sim run &#x27;it&#x27;&quot;&#x27;&quot;&#x27;s.toml&#x27;" in page.read_text("utf-8")


def test_several_cases_are_a_folder_with_a_page_each_named_as_they_are(tmp_path: Path) -> None:
    cases = [Path("a/one.toml"), Path("two.toml"), Path("b/one.toml")]
    written = Reports(tmp_path / "reports", tmp_path / "junit.xml", cases).write(results(3))
    assert [path.name for path in written] == ["one.html", "two.html", "one-2.html", "junit.xml"]
    assert all(path.stat().st_size for path in written)


def test_one_case_into_a_folder_that_is_there(tmp_path: Path) -> None:
    assert Reports(tmp_path, None, [Path("one.toml")]).write(results(1)) == [tmp_path / "one.html"]


def test_a_page_names_the_command_that_plays_it_in_the_same_time(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    Reports(page, None, [Path("one.toml")]).write(results(1), virtual=True)
    assert "sixkit sim run --virtual one.toml" in page.read_text("utf-8")


def test_nothing_asked_for_is_nothing_written() -> None:
    assert Reports(None, None, [Path("one.toml")]).write(results(1)) == []


def test_what_cannot_be_written_is_told_before_anything_is_played(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Told, match="cannot be made a folder"):
        Reports(tmp_path / "file", None, [Path("one.toml"), Path("two.toml")])
    with pytest.raises(Told, match="cannot be written: Is a directory"):
        Reports(None, tmp_path, [Path("one.toml")])
