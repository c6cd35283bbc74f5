"""The roster of terminals."""

import pytest

from gateway.home.roster import TERMINALS_MAX, Roster, Terminal


def terminal(name: str, silence_s_max: int = 200) -> Terminal:
    return Terminal(name, "smoke", "kitchen", "native", silence_s_max)


def test_terminals_are_found_by_id() -> None:
    roster = Roster((terminal("smoke-1"), terminal("smoke-2")))
    assert roster.get("smoke-2") == roster["smoke-2"] == terminal("smoke-2")
    assert roster.get("smoke-3") is None
    assert "smoke-1" in roster
    assert [found.id for found in roster] == ["smoke-1", "smoke-2"]


def test_a_roster_may_be_full_and_a_silence_short() -> None:
    terminals = tuple(terminal(f"t-{number}", silence_s_max=1) for number in range(TERMINALS_MAX))
    assert len(Roster(terminals)) == TERMINALS_MAX


@pytest.mark.parametrize(
    "terminals",
    [
        (terminal("smoke-1"), terminal("smoke-1")),
        tuple(terminal(f"t-{number}") for number in range(TERMINALS_MAX + 1)),
        (terminal("smoke-1", silence_s_max=0),),
    ],
    ids=["two of one id", "too many", "no silence allowed"],
)
def test_a_roster_that_cannot_be_is_refused(terminals: tuple[Terminal, ...]) -> None:
    with pytest.raises(ValueError, match=r"terminals|silence_s_max"):
        Roster(terminals)
