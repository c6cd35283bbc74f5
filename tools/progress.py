"""Progress on standard error: a bar where a person looks, lines where a file does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Bar:
    """A progress bar on a terminal's standard error; plain lines where there is none."""

    def __init__(self, total: int, live: Any = None):
        self._live = live
        self._task = live.add_task("", total=total) if live else None

    def at(self, done: int, doing: str, total: int | None = None) -> None:
        """`total` where it is only known now."""
        if self._live:
            self._live.update(self._task, completed=done, description=doing, total=total)

    def print(self, text: str) -> None:
        if self._live:
            self._live.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=sys.stderr, flush=True)


@contextmanager
def progress(total: int) -> Iterator[Bar]:
    """A bar of `total` steps while the `with` lasts."""
    if not sys.stderr.isatty():
        yield Bar(total)
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    except ImportError:
        yield Bar(total)
        return
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True), transient=True) as live:
        yield Bar(total, live)
