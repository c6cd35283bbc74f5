"""A plugin of pytest for mutants: the cheapest tests first, for most mutants die of the first test that meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

DURATIONS = Path("mutmut-stats.json")  # in the folder that mutmut runs the tests in; written by its first run of them


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if DURATIONS.exists():
        durations_s = json.loads(DURATIONS.read_text())["duration_by_test"]
        items.sort(key=lambda item: durations_s.get(item.nodeid, 0))
