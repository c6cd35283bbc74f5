"""devices.kinds: every kind of terminal, by the name and the number that it has on the link."""

from devices.kinds import LOGICS
from protocol.wire import codes


def test_every_kind_of_terminal_has_its_own_code() -> None:
    assert {name: logic.KIND for name, logic in LOGICS.items()} == {name: codes.KINDS.index(name) for name in LOGICS}
