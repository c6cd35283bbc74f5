"""The demo ends as it must, and its account is what the centre's database holds."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from datetime import datetime

import pytest


@pytest.fixture(scope="module")
def evening(tmp_path_factory):
    """One evening, four times as fast: its account, the centre's events and counters, and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "sixkit_tools.demo", "--clock-rate", "4"]
    done = subprocess.run(
        [*command, "--json", str(folder / "out.json"), "--keep", str(folder / "kept")],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    database = sqlite3.connect(folder / "kept" / "site" / "centre" / "data" / "centre.db")
    database.row_factory = sqlite3.Row
    rows = database.execute("SELECT * FROM events ORDER BY rowid").fetchall()
    counters = dict(database.execute("SELECT name, value FROM counters").fetchall())
    database.close()
    return json.loads((folder / "out.json").read_text()), rows, counters, done.stdout


def wall_ms(iso):
    return round(datetime.fromisoformat(iso).timestamp() * 1000)


def test_every_event_of_the_account_is_in_the_database_and_the_other_way_round(evening):
    out, rows, _, _ = evening
    assert [(a["event_id"], a["kind"], a["terminal"], a["phase"], a["attempts"]) for a in out["alarms"]] == [
        (f"{row['epoch']}-{row['sequence']}", row["kind"], row["terminal"], row["phase"], row["attempt"])
        for row in rows
    ]


def test_its_times_are_those_of_the_database_and_in_order(evening):
    out, rows, _, _ = evening
    for alarm, row in zip(out["alarms"], rows, strict=True):
        assert wall_ms(alarm["committed_at"]) == row["committed_ms"]
        assert wall_ms(alarm["raised_at"]) == row["raised_ms"]
        assert alarm["latency_ms"] == row["committed_ms"] - row["raised_ms"]
        assert alarm["raised_at"] <= alarm["committed_at"] <= alarm["receipted_at"]


def test_nothing_was_lost_or_doubled_and_what_was_forged_was_refused(evening):
    out, rows, counters, _ = evening
    assert out["raised"] == out["receipted"] == len(rows)
    assert (out["lost"], out["duplicates"], out["errors"]) == (0, 0, 0)
    assert out["forged_refused"] == counters["forged_refused"] == 3
    assert out["repeats_absorbed"] == counters.get("repeats_absorbed", 0)  # not there until there is one
    assert out["link_replays_refused"] > 0
    assert {row["kind"] for row in rows if row["phase"] == "raised"} >= {
        *("smoke", "gas", "flood", "inactivity", "button", "bracelet_sos", "mains_lost"),
    }
    assert {row["kind"] for row in rows if row["phase"] == "restored"} >= {"smoke", "flood", "inactivity", "mains_lost"}


def test_the_bracelets_call_says_where_it_is(evening):
    out, _, _, printed = evening
    (position,) = [a["position"] for a in out["alarms"] if (a["kind"], a["phase"]) == ("bracelet_sos", "raised")]
    assert position["age_ms"] < 10_000
    assert f"at {position['latitude']:.5f}, {position['longitude']:.5f}" in printed


def test_its_timeline_tells_each_scene(evening):
    printed = evening[3]
    for words in (
        "button-1",
        "SIREN ON",
        "kill -9",
        "forged",
        "old frames",
        "120 or 119",
        "centre is calling",
        "Are you all right?",
        "lost 0",
    ):
        assert words in printed
