"""What is counted of power cuts, and the weakness that is planted; the cuts themselves are in test_powercut.py."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from sim.judge import Outcome, Row
from sim.power import Cut, Found, _environment, count_cuts, count_events, count_stakes
from sim.terminals import Promise


def cut(began_ms: int, at_ms: int, until_ms: int, aim: str = "any", at_disk: bool = False) -> Cut:
    return Cut(aim, True, began_ms, at_ms, until_ms, at_disk, True)


def promise(number: int, acknowledged_ms: int | None) -> Promise:
    return Promise("button-1", 7, number, "button", "raised", 0, acknowledged_ms)


def row(number: int, committed_ms: int) -> Row:
    return Row(1, number, "button", "raised", "life", "held", "button-1", "hall", 7, number, (), False, committed_ms, 1)


CUTS = [cut(0, 100, 110), cut(110, 200, 210), cut(210, 300, 310)]


def stakes(promises: list[Promise], rows: list[Row]) -> Counter[str]:
    # The wall clock is 1000 ms ahead of the monotonic one.
    return count_stakes(CUTS, Outcome(rows, promises, frozenset(), begun=(1000, 0)))


def test_an_event_is_at_stake_in_every_cut_between_its_acknowledgement_and_its_commit_at_the_centre() -> None:
    found = stakes([promise(1, 50)], [row(1, 1250)])
    assert (found["at_stake"], found["acknowledged_at_stake"], found["fresh"]) == (2, 2, 1)


def test_an_event_that_the_centre_had_before_the_cut_is_not_at_stake() -> None:
    assert not any(stakes([promise(1, 50)], [row(1, 1060)]).values())


def test_an_acknowledgement_read_from_the_line_just_after_the_cut_was_at_stake_in_it() -> None:
    found = stakes([promise(1, 105)], [row(1, 1150)])
    assert (found["at_stake"], found["fresh"]) == (1, 1)


def test_what_is_not_acknowledged_or_acknowledged_after_the_last_cut_is_not_at_stake() -> None:
    found = stakes([promise(1, None), promise(2, 400)], [row(2, 1500)])
    assert not any(found.values())


def test_a_lost_event_counts_against_the_cut_after_its_acknowledgement() -> None:
    found = stakes([promise(1, 150), promise(2, 160), promise(3, 250)], [])
    assert (found["losing_cuts"], found["at_stake"], found["fresh"]) == (2, 2, 2)


def test_lost_and_doubled_events_are_counted_once_each() -> None:
    promises = [promise(1, 10), promise(2, 20), promise(3, None), promise(4, 40)]
    found = count_events(Outcome([row(1, 1), row(4, 1), row(4, 2)], promises, frozenset()))
    assert (found["offered"], found["acknowledged"], found["held"]) == (4, 3, 1)
    assert (found["committed"], found["lost"], found["doubled"]) == (3, 1, 1)


def test_cuts_are_counted_by_their_aim() -> None:
    found = count_cuts([cut(0, 1, 2, "start"), cut(2, 3, 4, "commit", at_disk=True)])
    assert found == {"cuts": 2, "alone": 2, "took": 2, "at_disk": 1, "aimed_start": 1, "aimed_commit": 1}


def test_the_bound_counts_only_cuts_with_something_to_lose_and_is_none_where_something_was_lost() -> None:
    assert Found(Counter(cuts=5000, at_stake=3000), []).bound == 0.001
    assert Found(Counter(cuts=5000), []).bound is None
    assert Found(Counter(cuts=5000, at_stake=3000), [OSError("lost")]).bound is None  # type: ignore[list-item]


def synchronous_seen(folder: Path, weakness: str) -> str:
    """What SQLite itself says in a process that opens a database as the gateway does."""
    code = "import gateway.database as d, pathlib; c = d.Database(pathlib.Path('x.db'), 'gw-1')._connection;"
    code += "print(c.execute('PRAGMA synchronous').fetchone()[0], c.execute('PRAGMA journal_mode').fetchone()[0])"
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), **os.environ}
    environment.update(_environment(folder, weakness))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_the_planted_weakness_reaches_the_product_and_nothing_else_does(tmp_path: Path) -> None:
    assert synchronous_seen(tmp_path, "") == "2 wal"
    assert synchronous_seen(tmp_path, "NORMAL") == "1 wal"
    assert synchronous_seen(tmp_path, "OFF") == "0 wal"
