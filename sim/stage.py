"""A site and the home before it, together: set up until everything is online, taken down whatever happens."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from gateway.config import BRACELET
from gateway.home.stillness import Rule
from protocol.words import Unavailable
from sim.bracelet import Bracelet
from sim.case import TerminalSpec
from sim.home import Home
from sim.line import Line
from sim.site import Site
from sim.terminals import Played

ONLINE_S_MAX: Final = 20.0  # for every terminal's session and the agent's connection
LOOK_S: Final = 0.1


class Stage:
    """Use it in a `with`; entering starts broker, centre, agent and home. The folder is the caller's to remove."""

    def __init__(
        self,
        folder: Path,
        terminals: Sequence[TerminalSpec],
        seed: int,
        rate: int = 1,
        heartbeat_s: int | None = None,
        agent_environment: Mapping[str, str] | None = None,
        recording: Sequence[bytes] | None = None,
        stillness: Rule | None = None,
    ):
        """`recording` is what the receivers of its bracelets say, if they do not walk."""
        self.site = Site(folder, terminals, rate, heartbeat_s, agent_environment, stillness)
        now = self.mono_ms()
        made = [t for t in self.site.terminals if t.spec.kind != BRACELET]
        self.played = [Played(t.spec.id, t.spec.kind, t.address, t.key, seed, now) for t in made]
        utc_ms = self.site.clock.now().wall_ms - now
        self.bracelets = {
            port: Bracelet(name, seed, now, utc_ms, recording=recording) for name, port in self.site.ports.items()
        }
        self.home = Home(self.site.port, self.played, Line(seed), self.mono_ms, rate, self.bracelets)

    def __enter__(self) -> Stage:
        self.home.plug()  # before the agent looks for it: it looks once a second
        try:
            for name in ("broker", "centre", "agent"):
                self.site.start(name)
            self.home.start()
            self.until_online()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.home.stop()
        self.site.__exit__()

    def mono_ms(self) -> int:
        """The site's monotonic clock."""
        return self.site.clock.now().mono_ms

    def settled(self) -> bool:
        """Whether no terminal holds an event and the centre has receipted all of the agent's."""
        try:
            unsettled = self.site.status()["outbox"]["unsettled"]
        except Unavailable:
            return False
        return not unsettled and not self.home.pending()

    def dead(self) -> frozenset[str]:
        """The terminals that cannot repeat anything."""
        return frozenset(name for name, terminal in self.home.terminals.items() if not terminal.alive)

    def agent_counters(self) -> dict[str, Any]:
        """The agent's counters. Raises Unavailable."""
        return dict(self.site.status()["counters"])

    def until_online(self) -> None:
        """Waits for every terminal's session and the agent's connection. Raises Unavailable where they do not come."""
        end_s = time.monotonic() + ONLINE_S_MAX
        while not (
            self.home.online() and any(heard.line.fields.get("up") for heard in self.site.lines("agent", "uplink"))
        ):
            if time.monotonic() > end_s:
                lines = self.site.process("agent").last_lines()
                raise Unavailable(
                    f"terminals and uplink are not online after {ONLINE_S_MAX:g} s. The agent's last lines:\n{lines}",
                    f"{ONLINE_S_MAX:g} 秒后终端与上行仍未在线。网关程序最后的输出：\n{lines}",
                )
            time.sleep(LOOK_S)
