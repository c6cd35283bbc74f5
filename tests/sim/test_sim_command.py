"""`sixkit sim` as people call it: exit codes, both languages, JSON, and what is wrong said in a sentence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

CASES = Path(__file__).parent.parent / "cases"


def sixkit(*arguments: str, language: str = "en") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sixkit_tools", "sim", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "SIXKIT_LANG": language},
        timeout=100,
        check=False,
    )


def test_a_good_case_exits_0_and_reports_as_json() -> None:
    done = sixkit("run", "--json", str(CASES / "button.toml"))
    found = json.loads(done.stdout)
    assert (done.returncode, found["good"]) == (0, True)
    assert [event["kind"] for event in found["cases"][0]["events"]] == ["button"]
    assert "The button is pressed" in done.stderr


def test_a_case_leaves_a_page_with_its_way_and_a_verdict_for_ci(tmp_path: Path) -> None:
    page, verdicts = tmp_path / "report.html", tmp_path / "junit.xml"
    done = sixkit("run", "--html", str(page), "--junit", str(verdicts), str(CASES / "button.toml"), language="zh")
    assert (done.returncode, done.stdout.splitlines()[-2:]) == (0, [str(page), str(verdicts)])
    text = page.read_text("utf-8")
    stations = ("press", "offered", "raised", "sent", "committed", "acknowledged", "receipted", "told")
    assert [what for what in stations if f'data-what="{what}"' not in text] == []
    assert "符合预期" in text
    assert 'data-name="button-1"' in text
    assert 'name="The button is pressed"' in verdicts.read_text("utf-8")


def test_a_case_that_is_not_so_exits_1_and_says_how(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    head = (CASES / "button.toml").read_text().partition("[[expect]]")[0]
    wrong.write_text(head + "[[expect]]\nnothing_else = true\n")
    done = sixkit("run", str(wrong), language="zh")
    assert done.returncode == 1
    assert "中心有 button-1 的 button raised" in done.stderr
    assert str(wrong) in done.stderr


def test_cases_in_virtual_time_report_as_for_real() -> None:
    done = sixkit("run", "--virtual", "--json", str(CASES / "button.toml"), str(CASES / "noise.toml"))
    found = json.loads(done.stdout)
    assert (done.returncode, found["good"], len(found["cases"])) == (0, True, 2)
    assert [event["kind"] for event in found["cases"][0]["events"]] == ["button"]
    assert found["cases"][1]["counters"]["link_damaged"] >= 5
    assert "A noisy line" in done.stderr


def test_a_case_that_needs_virtual_time_is_refused_before_any_is_played(tmp_path: Path) -> None:
    path = tmp_path / "cut.toml"
    path.write_text((CASES / "button.toml").read_text() + '[[at]]\nt = "1s"\npower = "cut"\n')
    done = sixkit("run", str(CASES / "button.toml"), str(path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"sixkit sim: {path}: power cut needs --virtual\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "nowhere.toml"], "nowhere.toml: cannot be read"),
        (["replay", "--smoke", "nowhere.csv"], "nowhere.csv cannot be read"),
        (["soak", "--kills", "0"], "--kills: '0' is not a whole number from 1 to 100000"),
        (["run"], "CASE.toml"),
        (["run", "--jobs", "99", "x.toml"], "--jobs"),
        ([], "WHAT"),
    ],
)
def test_wrong_usage_exits_2_with_a_sentence(arguments: list[str], said: str) -> None:
    done = sixkit(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_ends_a_run_soon_and_leaves_nothing(tmp_path: Path) -> None:
    long = tmp_path / "long.toml"
    long.write_text((CASES / "button.toml").read_text().replace('t = "500ms"', 't = "10m"'))
    command = [sys.executable, "-m", "sixkit_tools", "sim", "run", str(long), str(long)]
    with subprocess.Popen(command, env={**os.environ, "TMPDIR": str(tmp_path)}, stderr=subprocess.PIPE) as running:
        end_s = time.monotonic() + 20
        while len(list(tmp_path.glob("sixkit-*/site/gateways/gw-1/data/status.sock"))) < 2 and time.monotonic() < end_s:
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        assert running.wait(15) == 130
    assert list(tmp_path.iterdir()) == [long]


def test_help_has_examples() -> None:
    for what in ("run", "replay", "soak"):
        done = sixkit(what, "--help")
        assert done.returncode == 0
        assert f"sixkit sim {what}" in done.stdout.partition("examples:")[2]


@pytest.mark.parametrize("fire", ["SDC02", pytest.param("SDC05", marks=pytest.mark.night)])
def test_a_recorded_fire_reaches_the_centre(recorded: Path, fire: str) -> None:
    path = recorded / "smoke_nist_tn1455" / f"NIST_Smoke_Alarms_{fire}.csv.gz"
    done = sixkit("replay", "--smoke", str(path), "--column", "SMA_1", "--clock-rate", "20", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["good"], found["fire"]) == (0, True, fire)
    assert 20 <= found["alarm_s"] <= found["centre_s"] < 240
    assert len(found["real_alarms_s"]) > 10
    assert "NIST TN 1455" in found["source"]
