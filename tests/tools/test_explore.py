"""`sixkit sim explore`: what it prints and how it ends."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from sixkit_tools.cli import main

A_WHILE = ["--days", "0.03", "--jobs", "1"]


def test_seeds_that_hold_end_with_one_line_of_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", "explore", "--seeds", "0:2", *A_WHILE]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("2 seeds, ")


def test_json_has_the_same_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", "explore", "--seeds", "0:2", "--json", *A_WHILE]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["good"]
    assert found["seeds"] == 2
    assert found["broken"] == []


def test_a_failure_is_told_with_what_plays_it_again(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["sim", "explore", "--seeds", "0:50", "--days", "0.1", "--jobs", "1", "--plant", "siren_after_commit"]
    assert main(arguments) == 1
    said = capsys.readouterr().out
    assert "BROKEN" in said
    assert "sixkit sim explore --seeds " in said


def test_a_seed_has_a_page_to_look_at(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "seed.html"
    assert main(["sim", "explore", "--seeds", "3", "--html", str(page), *A_WHILE]) == 0
    assert "Seed 3" in page.read_text()
    assert main(["sim", "explore", "--seeds", "0:2", "--html", str(page), *A_WHILE]) == 2


def test_planted_defects_have_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", "explore", "--plant", "list"]) == 0
    assert "acknowledge_before_commit" in capsys.readouterr().out
    assert main(["sim", "explore", "--plant", "nonsense"]) == 2


@pytest.mark.parametrize("words", [["--seeds", "5:5"], ["--seeds", "a:b"], ["--days", "0"], ["--only", "1,x"]])
def test_what_makes_no_sense_is_usage(words: list[str]) -> None:
    with pytest.raises(SystemExit) as error:
        main(["sim", "explore", *words])
    assert error.value.code == 2


def test_what_is_not_in_the_plan_cannot_be_played_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", "explore", "--seeds", "1", "--only", "99999", *A_WHILE]) == 2
    assert "--only 99999" in capsys.readouterr().err
    assert main(["sim", "explore", "--seeds", "0:2", "--only", "1", *A_WHILE]) == 2


def test_ctrl_c_ends_it_at_once_and_leaves_no_process() -> None:
    command = [sys.executable, "-m", "sixkit_tools", "sim", "explore", "--seeds", "0:50", "--jobs", "2"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as explorer:
        while len(_group(explorer.pid)) < 4:  # itself, two workers, and the tracker of what they share
            time.sleep(0.05)
            assert explorer.poll() is None
        time.sleep(1)
        os.killpg(explorer.pid, signal.SIGINT)
        _, said = explorer.communicate(timeout=30)
    assert explorer.returncode == 130
    assert "stopped" in said
    end_s = time.monotonic() + 5
    while _group(explorer.pid):
        assert time.monotonic() < end_s
        time.sleep(0.05)


def _group(leader: int) -> list[str]:
    """The processes of this group that are alive."""
    found = subprocess.run(["ps", "-o", "stat=", "-g", str(leader)], capture_output=True, text=True, check=False)
    return [line for line in found.stdout.split() if not line.startswith("Z")]
