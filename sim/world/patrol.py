"""Looks in on a world every half minute: has each silence been noticed, and does everything keep its bounds?"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from dispatch.desk import LOST_MS
from gateway.delivery import PATH_LOST_MS
from sim.world.centre import TICK_MS
from sim.world.timeline import Timeline
from sim.world.watch import Broken

if TYPE_CHECKING:
    from sim.world.world import World

EVERY_MS: Final = 30_000
MAINS_MS_MAX: Final = 100_000  # until the loss of mains is an alarm
SLACK_MS: Final = 5_000  # for what is on its way


class Since:
    """How long something has been so without a break, as seen from one look to the next."""

    def __init__(self, timeline: Timeline, so: Callable[[], bool]):
        self._timeline = timeline
        self._so = so
        self._since_ms: int | None = None

    def look(self) -> None:
        if not self._so():
            self._since_ms = None
        elif self._since_ms is None:
            self._since_ms = self._timeline.now

    def ms(self) -> int:
        """For how long; 0: it is not so."""
        return 0 if self._since_ms is None else self._timeline.now - self._since_ms

    def broke(self) -> None:
        """It was not so for a moment between two looks."""
        self._since_ms = None


class Patrol:
    """Invariants 5 and 7 of the design. Raises Broken."""

    def __init__(self, timeline: Timeline, world: World):
        self._timeline = timeline
        self._world = world
        self._watches = Since(timeline, world.gateway_watches)
        self._gone = Since(timeline, lambda: not world.gateway_reaches_broker())
        self._centre = Since(timeline, world.centre_listens)
        self._cut_off = Since(timeline, lambda: world.gateway_watches() and world.cut_off())
        self._unpowered = Since(timeline, lambda: world.gateway_watches() and not world.gateway.supply.mains)
        self._dead = {name: Since(timeline, self._is_dead(name)) for name in world.silence_ms_max}
        self._mute: frozenset[str] = frozenset()  # at this look
        self._lives = 0

    def start(self) -> None:
        self._timeline.after(EVERY_MS, self._look)

    def _is_dead(self, name: str) -> Callable[[], bool]:
        return lambda: name in self._mute

    def _look(self) -> None:
        self._timeline.after(EVERY_MS, self._look)
        self._mute = self._world.mute()
        if self._world.lives() != self._lives:  # a restart between two looks
            self._lives = self._world.lives()
            for one in (self._watches, self._cut_off, self._gone, self._centre, self._unpowered):
                one.broke()
        for one in (self._watches, self._gone, self._centre, self._cut_off, self._unpowered, *self._dead.values()):
            one.look()
        self._silent_terminals()
        self._silent_gateway()
        self._cut_off_gateway()
        self._unpowered_gateway()
        self._bounds()

    def _silent_terminals(self) -> None:
        for name, most_ms in self._world.silence_ms_max.items():
            so_ms = min(self._watches.ms(), self._dead[name].ms())
            if so_ms > most_ms + SLACK_MS and name not in self._world.watch.silent:
                raise Broken(
                    "silence",
                    f"{name} is dead for {so_ms // 1000} s and nobody has noticed; at most {most_ms // 1000} s",
                    f"{name} 已失效 {so_ms // 1000} 秒而无人察觉；最多 {most_ms // 1000} 秒",
                )

    def _silent_gateway(self) -> None:
        so_ms = min(self._gone.ms(), self._centre.ms())
        if so_ms > LOST_MS + TICK_MS + SLACK_MS and not self._world.gateway_is_missed():
            raise Broken(
                "gateway_silence",
                f"the gateway is silent for {so_ms // 1000} s and the centre does not miss it",
                f"网关已静默 {so_ms // 1000} 秒而中心未察觉",
            )

    def _cut_off_gateway(self) -> None:
        so_ms = self._cut_off.ms()
        if so_ms > PATH_LOST_MS + self._world.heartbeat_ms + SLACK_MS and not self._world.watch.uplink_lost:
            raise Broken(
                "uplink_silence",
                f"the centre is out of reach for {so_ms // 1000} s and the gateway does not know it",
                f"与中心断开 {so_ms // 1000} 秒而网关未察觉",
            )

    def _unpowered_gateway(self) -> None:
        so_ms = self._unpowered.ms()
        if so_ms > MAINS_MS_MAX + SLACK_MS and not self._world.watch.mains_lost:
            raise Broken(
                "mains_silence",
                f"mains is lost for {so_ms // 1000} s and there is no alarm",
                f"市电中断 {so_ms // 1000} 秒而未报警",
            )

    def _bounds(self) -> None:
        for name, size, most in self._world.sizes():
            if size > most:
                raise Broken("bounds", f"{name} holds {size}, at most {most}", f"{name} 有 {size}，最多 {most}")
