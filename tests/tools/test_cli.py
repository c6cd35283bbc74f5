"""The `sixkit` command: every subcommand explains itself, and wrong usage gets a sentence and exit code 2."""

from __future__ import annotations

import pytest

from sixkit_tools.cli import COMMANDS, main


@pytest.mark.parametrize(
    "command", [*([name] for name in COMMANDS), ["sim", "run"], ["sim", "replay"], ["sim", "soak"], ["bench", "path"]]
)
def test_every_command_explains_itself(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    assert f"sixkit {' '.join(command)}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "limits"),
    [
        (["run", "--clock-rate", "0"], ["1", "1000"]),
        (["dispatch", "--clock-rate", "1001"], ["1", "1000"]),
        (["sim", "soak", "--kills", "0"], ["1", "100000"]),
        (["sim", "run", "--jobs", "many", "case.toml"], ["1", "16"]),
        (["bench", "path", "--samples", "-1"], ["20", "5000"]),
    ],
)
def test_a_number_out_of_its_limits_is_told_with_them(
    command: list[str], limits: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(command)
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert all(limit in said for limit in limits)
    assert len(said) < 500


def test_without_a_command_the_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    said = capsys.readouterr().out
    assert all(name in said for name in COMMANDS)


def test_a_missing_configuration_is_told_with_exit_code_2(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "--config", str(tmp_path_factory.mktemp("none") / "gateway.toml")]) == 2
    assert "gateway.toml" in capsys.readouterr().err
