"""Which rows of the transition tables a run has gone through, and under which kinds of fault."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from devices import measure
from gateway.home import fence, lifecycle, stillness

CALM: Final = "calm"  # stands for no fault at all


class Reached(NamedTuple):
    """A row of a table (its key, as text) reached while a fault of this kind was under way."""

    table: str
    row: str
    fault: str


class Coverage:
    """`active` are the kinds of fault that are under way, each as often as it is."""

    def __init__(self) -> None:
        self.active: list[str] = []
        self.reached: set[Reached] = set()

    def note(self, table: str, row: object) -> None:
        text = "/".join(map(str, row)) if isinstance(row, tuple) else str(row)
        for fault in self.active or (CALM,):
            self.reached.add(Reached(table, text, fault))


# Every table, by name: the module and the name that it has there.
TABLES: Final[dict[str, tuple[Any, str]]] = {
    "lifecycle": (lifecycle, "TABLE"),
    "stillness": (stillness, "TABLE"),
    "fence": (fence, "TABLE"),
    "threshold": (measure, "_NEXT"),
    "threshold_confirmed": (measure, "_CONFIRMED"),
}


class _Watched(dict[Any, Any]):
    """A table that tells which of its rows is looked up."""

    def __init__(self, name: str, rows: dict[Any, Any], coverage: Coverage):
        super().__init__(rows)
        self._name, self._coverage = name, coverage

    def __getitem__(self, key: Any) -> Any:
        self._coverage.note(self._name, key)
        return super().__getitem__(key)


def rows() -> dict[str, tuple[str, ...]]:
    """All rows of all tables."""
    found = {}
    for name, (module, attribute) in TABLES.items():
        table = getattr(module, attribute)
        found[name] = tuple("/".join(key) if isinstance(key, tuple) else str(key) for key in table)
    return found


@contextlib.contextmanager
def watched(coverage: Coverage) -> Iterator[None]:
    """The tables tell `coverage` what is looked up, as long as this lasts."""
    originals = {name: getattr(module, attribute) for name, (module, attribute) in TABLES.items()}
    try:
        for name, (module, attribute) in TABLES.items():
            setattr(module, attribute, _Watched(name, originals[name], coverage))
        yield
    finally:
        for name, (module, attribute) in TABLES.items():
            setattr(module, attribute, originals[name])
