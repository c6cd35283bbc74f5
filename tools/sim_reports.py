"""What is left of played cases for people and for CI: a page for each, and one JUnit file."""

from __future__ import annotations

import argparse
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .command import made_folder, written
from .locale import language, say

if TYPE_CHECKING:
    from sim.result import Result


def add_reports(parser: argparse.ArgumentParser) -> None:
    """--html and --junit."""
    parser.add_argument(
        "--html",
        type=Path,
        metavar="PATH",
        help=say(
            "a report to look at: a file, or a folder with a page for each of several cases",
            "可视化报告：单个用例写入文件；多个用例写入文件夹，每例一页",
        ),
    )
    parser.add_argument("--junit", type=Path, metavar="FILE", help=say("the verdicts for CI", "供 CI 使用的结果"))


class Reports:
    """The files that were asked for."""

    def __init__(self, html: Path | None, junit: Path | None, cases: Sequence[Path]):
        """What cannot be written is said now, not after the cases. Raises Told."""
        self._cases = cases
        self._junit = junit
        self._pages = _pages(html, cases) if html else []
        for path in [*self._pages, *([junit] if junit else [])]:
            made_folder(path.parent)
            written(path, "")

    def write(self, results: Sequence[Result], virtual: bool = False) -> list[Path]:
        """Writes them; gives the files written. Raises Unavailable."""
        from sim.junit import junit
        from sim.report import html
        from sim.retell import retell

        for page, path, result in zip(self._pages, self._cases, results, strict=False):
            command = f"sixkit sim run {'--virtual ' if virtual else ''}{shlex.quote(str(path))}"
            story = retell(result, command, language())
            written(page, html(story, language()))
        if self._junit:
            written(self._junit, junit(results, language()))
        return [*self._pages, *([self._junit] if self._junit else [])]


def _pages(path: Path, cases: Sequence[Path]) -> list[Path]:
    """One page for each case: in a folder, named as the case, unless there is one case and no folder of that name."""
    if len(cases) == 1 and not path.is_dir():
        return [path]
    stems: Counter[str] = Counter()
    pages = []
    for case in cases:
        stems[case.stem] += 1
        again = f"-{stems[case.stem]}" if stems[case.stem] > 1 else ""
        pages.append(path / f"{case.stem}{again}.html")
    return pages
