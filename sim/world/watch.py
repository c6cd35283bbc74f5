"""The invariants of the design, asked after each step of a world in virtual time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from gateway.home.actions import action
from gateway.home.lifecycle import NO_RAISE
from protocol.words import LAPSING, RAISED, RESTORED, SIGNS, TEST, UNVERIFIED, UPDATED, Told
from sim.terminals import Promise
from sim.world.timeline import Timeline

LIVE_MS_MAX: Final = 10_000  # from the terminal to the centre's commit, while nothing is wrong and nothing waits
CALM_MS: Final = 60_000  # after the last fault: reconnection, back-off and backlog are over by then

Key = tuple[str, int, int, str, bool]  # terminal, its boot, its number, kind, whether it ends the alarm


class Broken(BaseException):
    """An invariant does not hold; `name` is a short word to tell one from another by. Nothing in the product may catch
    it."""

    def __init__(self, name: str, en: str, zh: str):
        super().__init__(en)
        self.name = name
        self.told = Told(en, zh)


def key_of(promise: Promise) -> Key:
    return promise.terminal, promise.boot, promise.number, promise.kind, promise.phase == RESTORED


class Watch:
    """What terminals were promised, beside what the centre has; raises Broken at the step that breaks it."""

    def __init__(self, timeline: Timeline):
        self.promises: dict[Key, Promise] = {}
        self.counts: Counter[str] = Counter()
        self.excused: set[Key] = set()  # lost with the only card that held them
        self.latencies_ms: list[int] = []  # of live alarms in calm
        self.silent: set[str] = set()  # terminals that the gateway has missed
        self.uplink_lost = False  # as the gateway sees it
        self.mains_lost = False  # the same
        # Alarms whose raise died with a process before it was on the card: the next one cannot know that they stand,
        # and where they are over before it hears of them the centre never learns that. A card that cannot be written
        # and a crash are two faults at once; the design promises nothing then but that no event is lost.
        self.forgotten: set[tuple[str, str]] = set()
        self._unwritten: dict[str, tuple[str, str]] = {}
        self._standing: set[tuple[str, str]] = set()  # alarms whose raise is on the card
        self._raises: dict[str, tuple[str, str]] = {}  # of these events, once they are committed
        self._taken: set[tuple[object, ...]] = set()  # by this process: terminals' names for their events
        self._timeline = timeline
        # By whether it is a test there: a gateway that died before the answer to its question was on the card takes the
        # same press for a call, which is the safe side of the two.
        self._at_centre: Counter[tuple[Key, bool]] = Counter()
        self._last: dict[tuple[str, int], int] = {}
        self.epochs: list[int] = []  # of the gateway's lives, one after the other
        self.restored_ms = 0  # when the centre last went on from an old copy
        self._siren_ms: int | None = None  # since when it sounds
        self._faults = 0  # that are under way
        self._wrong_ms = 0  # when something was last wrong
        self.may_damage = False  # a fault has damaged files, so databases may be found damaged

    # --- what goes on ---

    def disturbed(self, more: int) -> None:
        """So many more faults are under way."""
        self._faults += more
        self._wrong_ms = self._timeline.now

    def calm_since_ms(self) -> int | None:
        return None if self._faults else self._wrong_ms

    # --- terminals ---

    def offered(self, promise: Promise) -> None:
        self.promises[key_of(promise)] = promise
        self.counts["offered"] += 1

    def at_centre(self, promise: Promise) -> bool:
        return self._arrived(key_of(promise))

    def _arrived(self, key: Key) -> bool:
        return self._at_centre[key, False] + self._at_centre[key, True] > 0

    # --- the gateway ---

    def gateway(self, what: str, details: Mapping[str, Any]) -> None:
        """A line of the agent's journal."""
        if what == "siren":
            self._siren_ms = self._timeline.now if details["state"] == "on" else None
        elif what == "raised":
            self._raised(details)
        elif what == "ready":
            self.epochs.append(details["epoch"])
            if not details["remembers"]:
                self._standing.clear()
        elif what == "committed":
            for name in details["ids"]:
                self.forgotten.discard(self._unwritten.pop(name, ("", "")))
                if name in self._raises:
                    self._standing.add(self._raises.pop(name))
        elif what in ("killed", "power_cut"):
            self.forgotten.update(self._unwritten.values())
            self._unwritten.clear()
            self._raises.clear()
            self._taken.clear()
        elif what == "error":
            raise Broken("error", f"error in the agent: {details['trace']}", f"网关程序出错：{details['trace']}")
        elif what == "storage" and "kept aside" in details["detail"] and not self.may_damage:
            raise Broken("damaged", f"outbox: {details['detail']}", f"发件箱：{details['detail']}")

    def _raised(self, details: Mapping[str, Any]) -> None:
        kind, phase = details["kind"], details["phase"]
        self._unwritten[details["id"]] = details["terminal"], kind
        self.counts[f"gateway.{kind}.{phase}"] += 1
        if kind == "terminal_silent":
            (self.silent.add if phase == RAISED else self.silent.discard)(details["terminal"])
        elif kind == "uplink_lost":
            self.uplink_lost = phase == RAISED
        elif kind == "mains_lost":
            self.mains_lost = phase == RAISED
        verified = UNVERIFIED not in details["flags"]
        if verified and details["source"] is not None:
            self._once((details["terminal"], *details["source"], kind, phase == RESTORED))
        if verified and kind not in LAPSING:
            self._remembers(details["id"], (details["terminal"], kind), phase, NO_RAISE in details["flags"])
        if details["phase"] == RAISED and verified and action(details["kind"]).siren and self._siren_ms is None:
            who = details["terminal"]
            raise Broken(
                "siren", f"{who}: {details['kind']} is raised and the siren is quiet", f"{who}：报警但警号未响"
            )

    def _once(self, source: tuple[object, ...]) -> None:
        """A process makes one event of one event of a terminal, however often it is told of it."""
        if source in self._taken:
            what = " ".join(map(str, source))
            raise Broken("again", f"{what}: taken a second time by the same process", f"{what}：被同一进程重复采纳")
        self._taken.add(source)

    def _remembers(self, name: str, alarm: tuple[str, str], phase: str, unknown: bool) -> None:
        """An alarm whose raise is on the card is known to every later start."""
        if unknown and alarm in self._standing and not self.may_damage:
            who, kind = alarm
            raise Broken(
                "forgotten",
                f"{who}: {kind} is {phase} as if it had not been raised, and its raise is on the card",
                f"{who}：{kind} 的报警已存入卡中，却被当作从未报警",
            )
        if phase == RAISED:
            self._raises[name] = alarm
        elif phase == RESTORED:
            self._standing.discard(alarm)
            self._raises = {one: other for one, other in self._raises.items() if other != alarm}

    # --- the centre ---

    def committed(self, row: Mapping[str, Any]) -> None:
        """The centre has committed this event."""
        self.counts["committed"] += 1
        if row["kind"] in SIGNS:
            what = f"{row['terminal']}: {row['kind']} {row['phase']}"
            raise Broken("sign", f"{what} is at the centre; a sign of life is no alarm", f"{what} 在中心；活动不是报警")
        if row["link"] == "own" and row["phase"] == UPDATED:
            self._follows(row)
        if row["link"] != "held" or row["source_boot"] is None or row["unverified"]:
            return
        name = (row["terminal"], row["source_boot"])
        key = (*name, row["source_number"], row["kind"], row["phase"] == RESTORED)
        promise = self.promises.get(key)
        what = f"{row['terminal']}: {row['kind']} {row['phase']} {name[1], key[2]}"
        if promise is None:
            raise Broken(
                "foreign", f"{what} is at the centre, but no terminal sent it", f"{what} 在中心，但终端从未发送"
            )
        self._at_centre[key, row["phase"] == TEST] += 1
        if self._at_centre[key, row["phase"] == TEST] > 1:
            raise Broken("doubled", f"{what} is at the centre twice", f"{what} 在中心有两条")
        if promise.offered_ms >= self.restored_ms:  # what a centre lost comes again when it can, in whatever order
            if key[2] < self._last.get(name, 0):
                last = self._last[name]
                raise Broken("order", f"{what} came after number {last}", f"{what} 晚于编号 {last}")
            self._last[name] = key[2]
        self._in_time(promise, what)

    def _follows(self, row: Mapping[str, Any]) -> None:
        """What the gateway adds to a call comes after the call; a centre that lost some of it gets it in any order."""
        if row["alarm_kind"] != row["kind"] and not self.restored_ms and not self.may_damage:
            what = f"{row['terminal']}: {row['kind']} updated"
            raise Broken(
                "followed", f"{what} is at the centre without what it follows", f"{what} 已到中心，但其报警未到"
            )

    def _in_time(self, promise: Promise, what: str) -> None:
        calm_ms = self.calm_since_ms()
        if calm_ms is None or promise.offered_ms < calm_ms + CALM_MS:
            return
        took_ms = self._timeline.now - promise.offered_ms
        self.latencies_ms.append(took_ms)
        if took_ms > LIVE_MS_MAX:
            raise Broken(
                "late",
                f"{what} took {took_ms} ms to the centre although nothing is wrong; at most {LIVE_MS_MAX}",
                f"{what} 在无故障时用了 {took_ms} 毫秒；最多 {LIVE_MS_MAX}",
            )

    def restored(self, rows: list[Mapping[str, Any]]) -> None:
        """The centre goes on with these events; the rest must come again."""
        self._at_centre = Counter(
            (
                (row["terminal"], row["source_boot"], row["source_number"], row["kind"], row["phase"] == RESTORED),
                row["phase"] == TEST,
            )
            for row in rows
            if row["link"] == "held" and row["source_boot"] is not None and not row["unverified"]
        )
        self.restored_ms = self._wrong_ms = self._timeline.now

    def excuse(self) -> None:
        """What is acknowledged and not at the centre may be lost from here on."""
        for key, promise in self.promises.items():
            if promise.acknowledged_ms is not None and not self._arrived(key):
                self.excused.add(key)

    def excuse_lost(self, held: Callable[[Promise], bool]) -> None:
        """The centre has lost what it had and is not at it now, and of that the gateway has on its card what is `held`:
        the rest, which was receipted while the card could not be written, may be nowhere any more."""
        for key, promise in self.promises.items():
            if promise.acknowledged_ms is not None and not self._arrived(key) and not held(promise):
                self.excused.add(key)

    # --- the end ---

    def owed(self, alive: frozenset[str]) -> list[Promise]:
        """What was acknowledged, or is still held, and is not at the centre."""
        return [
            promise
            for key, promise in self.promises.items()
            if not self._arrived(key)
            and key not in self.excused
            and (promise.acknowledged_ms is not None or (not promise.gone and promise.terminal in alive))
        ]
