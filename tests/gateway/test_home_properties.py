"""The core under anything: any input, any order, a crash between any two effects, disks and centres of any speed."""

from collections import deque
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.home import parts
from gateway.home.core import CONDITIONS, Home
from gateway.home.messages import (
    Acknowledge,
    Alive,
    Commit,
    Committed,
    Condition,
    Doubt,
    Effect,
    Input,
    Keep,
    Reading,
    Receipted,
    Siren,
)
from gateway.home.pace import BURST
from gateway.home.roster import Roster, Terminal
from protocol.record import Event, EventId, Interval, Now, Sent, Source, decode
from protocol.words import KINDS, PHASES, RAISED, RESTORED, TEST, UNVERIFIED, UPDATED

HELD = ("smoke-1", "gas-1", "button-1")
ROSTER = Roster(
    (
        Terminal("smoke-1", "smoke", "kitchen", "native"),
        Terminal("gas-1", "gas", "kitchen", "native", 3600),
        Terminal("button-1", "button", "bedroom", "native"),
        Terminal("flood-1", "flood", "bathroom", "modbus"),
    )
)
SIREN_KINDS = ("smoke", "gas", "flood")


class World(RuleBasedStateMachine):
    """Terminals that hold their events, a disk that stores in order and late, a centre, and power that fails."""

    @initialize()
    def begin(self) -> None:
        self.now_ms = 0
        self.boot = 1
        self.epoch = 0
        self.disk: dict[str, bytes] = {}
        self.rows: dict[EventId, Event] = {}  # on the disk and not receipted
        self.centre: dict[EventId, Event] = {}
        self.made: dict[int, list[Event]] = {}  # performed commits, by epoch
        self.held: dict[str, deque[Reading]] = {terminal: deque() for terminal in HELD}  # of each terminal
        self.numbers = dict.fromkeys(HELD, 0)
        self.siren = False
        self.start()

    def start(self) -> None:
        self.epoch += 1
        self.made[self.epoch] = []
        self.writes: deque[Commit | Keep] = deque()
        self.on_way: deque[Event] = deque(self.rows.values())
        self.siren = False
        self.home = Home(
            "gw-1", self.epoch, self.boot, ROSTER, now=self.now(), state=self.disk, unsettled=set(self.rows)
        )
        self.perform(self.home.tick(self.now()))

    def now(self) -> Now:
        return Now(1_700_000_000_000 + self.now_ms, self.now_ms)

    def give(self, message: Input, crash_at: int | None = None) -> None:
        effects = self.home.handle(message, self.now())
        self.perform(effects[:crash_at])
        if crash_at is not None:
            self.start()

    def perform(self, effects: Sequence[Effect]) -> None:
        assert effects == sorted(effects, key=lambda effect: not isinstance(effect, Siren)), "the siren waits"
        for effect in effects:
            match effect:
                case Commit(events):
                    self.writes.append(effect)
                    self.on_way += events
                    self.made[self.epoch] += events
                case Keep():
                    self.writes.append(effect)
                case Acknowledge(terminal, source):
                    self.acknowledged(terminal, source)
                case Siren(on):
                    self.siren = on

    def acknowledged(self, terminal: str, source: Source) -> None:
        safe = (*self.rows.values(), *self.centre.values())
        assert any((event.terminal, event.source) == (terminal, source) for event in safe), "acknowledged, not safe"
        if self.held[terminal] and self.held[terminal][0].source == source:
            self.held[terminal].popleft()

    # --- what happens ---

    @rule(
        terminal=st.sampled_from(HELD),
        phase=st.sampled_from(PHASES),
        own=st.booleans(),
        age_ms=st.integers(-5, 100_000),
        sends=st.integers(0, 3),
        crash_at=st.none() | st.integers(0, 4),
    )
    def terminal_notices(
        self, terminal: str, phase: str, own: bool, age_ms: int, sends: int, crash_at: int | None
    ) -> None:
        self.numbers[terminal] += 1
        kind = terminal.split("-")[0] if own else "tamper"
        source = Source(5, self.numbers[terminal])
        self.held[terminal].append(Reading(terminal, kind, phase, "held", source, age_ms))
        for _ in range(sends):
            self.terminal_repeats(terminal, crash_at)

    @rule(terminal=st.sampled_from(HELD), crash_at=st.none() | st.integers(0, 4))
    def terminal_repeats(self, terminal: str, crash_at: int | None) -> None:
        if self.held[terminal]:
            self.give(self.held[terminal][0], crash_at)

    @rule(terminal=st.sampled_from(HELD), phases=st.lists(st.sampled_from(PHASES), min_size=BURST, max_size=2 * BURST))
    def terminal_goes_wild(self, terminal: str, phases: list[str]) -> None:
        for phase in phases:
            self.terminal_notices(terminal, phase, True, 0, 1, None)
            while self.writes:
                self.disk_writes(crash=False)

    @rule(phase=st.sampled_from(PHASES))
    def heard(self, phase: str) -> None:
        self.give(Reading("flood-1", "flood", phase, "heard"))

    @rule(terminal=st.sampled_from((*HELD, "flood-1", "smoke-9")), bits=st.integers(0, 8))
    def alive(self, terminal: str, bits: int) -> None:
        stated = (bool(bits & 1), bool(bits & 2), bool(bits & 4)) if bits < 8 else ()  # a hello states none
        self.give(Alive(terminal, *stated))

    @rule(kind=st.sampled_from(("storage_fault", "uplink_lost", "smoke")), present=st.booleans())
    def condition(self, kind: str, present: bool) -> None:
        self.give(Condition(kind, present))

    @rule(terminal=st.sampled_from((*HELD, "smoke-9")), phase=st.sampled_from(PHASES), number=st.integers(1, 9))
    def forged(self, terminal: str, phase: str, number: int) -> None:
        self.give(Doubt(terminal, "smoke", phase, Source(5, number), "bad_tag"))

    @rule(terminal=st.just("smoke-9"), phase=st.sampled_from(PHASES))
    def foreign(self, terminal: str, phase: str) -> None:
        self.give(Reading(terminal, "smoke", phase, "held", Source(1, 1)))

    @precondition(lambda self: self.writes)
    @rule(crash=st.booleans())
    def disk_writes(self, crash: bool) -> None:
        write = self.writes.popleft()
        for key, data in write.state.items():
            if data is None:
                self.disk.pop(key, None)
            else:
                self.disk[key] = data
        if isinstance(write, Commit):
            self.rows.update((event.id, event) for event in write.events if event.id not in self.centre)
            if crash:
                self.start()
            else:
                self.give(Committed(tuple(event.id for event in write.events)))

    @precondition(lambda self: self.on_way)
    @rule(lost=st.booleans())
    def centre_commits(self, lost: bool) -> None:
        event = self.on_way.popleft()
        self.centre[event.id] = event
        if lost:  # its receipt; it would be sent again
            self.on_way.appendleft(event)
        else:
            self.rows.pop(event.id, None)
            self.give(Receipted((Interval(event.id.epoch, event.id.sequence, event.id.sequence),)))

    @rule(later_ms=st.sampled_from((1, 500, 2000, 5000, 31_000, 250_000, 700_000)))
    def time_passes(self, later_ms: int) -> None:
        until_ms = self.now_ms + later_ms
        while (due_ms := self.home.deadline()) is not None and due_ms <= until_ms:
            if due_ms - 1 >= self.now_ms:
                self.now_ms = due_ms - 1
                assert self.home.tick(self.now()) == [], "something was due before the deadline"
            self.now_ms = max(self.now_ms, due_ms)
            self.perform(self.home.tick(self.now()))
            assert self.home.tick(self.now()) == [], "a tick did something twice"
            after_ms = self.home.deadline()
            assert after_ms is None or after_ms > self.now_ms, "a tick did not do what was due"
        self.now_ms = until_ms

    @rule(power=st.booleans())
    def crash(self, power: bool) -> None:
        if power:
            self.now_ms = 0
            self.boot += 1
        self.start()

    # --- what always holds ---

    @invariant()
    def events_are_numbered_in_order(self) -> None:
        for epoch, made in self.made.items():
            assert [event.id for event in made] == [EventId(epoch, number) for number in range(1, len(made) + 1)]

    @invariant()
    def a_terminals_events_keep_its_order(self) -> None:
        for terminal in HELD:
            made = self.made[self.epoch]
            numbers = [event.source.number for event in made if event.terminal == terminal and event.source]
            assert numbers == sorted(set(numbers))

    @invariant()
    def each_alarm_is_raised_first_and_restored_last(self) -> None:
        found: dict[EventId, list[Event]] = {}
        for event in self.made[self.epoch]:
            found.setdefault(event.alarm, []).append(event)
        for alarm, events in found.items():
            phases = [event.phase for event in events]
            assert len({(event.terminal, event.kind) for event in events}) == 1
            if alarm.epoch == self.epoch:
                assert events[0].id == alarm
                assert phases[0] == RAISED or phases in ([TEST], [RESTORED])
                assert phases[0] != RESTORED or "no_raise" in events[0].flags
            assert RAISED not in phases[1:]
            assert RESTORED not in phases[:-1]

    @invariant()
    def nothing_foreign_is_made_and_what_is_made_can_be_sent(self) -> None:
        for event in self.made[self.epoch][-3:]:
            assert event.terminal in ROSTER or event.terminal == "gw-1"
            assert decode(event.to_record()) == Sent(event, 1, 0)
            assert (UNVERIFIED in event.flags) == ("doubts" in event.evidence)
            assert event.phase != UPDATED or event.alarm != event.id

    @invariant()
    def the_siren_sounds_while_something_stands_that_wants_it(self) -> None:
        assert self.siren == any(alarm["kind"] in SIREN_KINDS for alarm in self.home.alarms(self.now()))

    def teardown(self) -> None:
        """In the end disk and centre answer: everything that was acknowledged or is still held gets there once."""
        if not hasattr(self, "home"):
            return
        for _ in range(1000):
            for terminal in HELD:
                self.terminal_repeats(terminal, None)
            while self.writes:
                self.disk_writes(crash=False)
            while self.on_way:
                self.centre_commits(lost=False)
            if not any(self.held.values()):
                break
            self.time_passes(2000)
        assert not any(self.held.values()), "a terminal was never acknowledged"
        for terminal, last in self.numbers.items():
            there = {
                event.source.number for event in self.centre.values() if event.terminal == terminal and event.source
            }
            assert there == set(range(1, last + 1))


TestWorld = World.TestCase
TestWorld.settings = settings(stateful_step_count=60)

names = st.sampled_from(["smoke-1", "flood-1", "button-1", "gw-1", "nobody", ""])
kinds = st.sampled_from(list(KINDS)) | st.text(max_size=80)
phases = st.sampled_from(PHASES) | st.text(max_size=8)
levels = st.none() | st.booleans()
numbers = st.integers(-(2**70), 2**70)
evidence = st.dictionaries(st.text(max_size=8), st.integers(), max_size=20)
sources = st.builds(Source, st.integers(0, 2), st.integers(0, 2**32))
event_ids = st.builds(EventId, st.integers(0, 3), st.integers(0, 20))
messages: st.SearchStrategy[Input] = st.one_of(
    st.builds(
        Reading, names, kinds, phases, st.sampled_from(["held", "heard"]), st.none() | sources, numbers, evidence
    ),
    st.builds(Alive, names, levels, levels, levels, st.none() | st.integers(0, 255)),
    st.builds(Doubt, names, kinds, phases, sources, st.text(max_size=8)),
    st.builds(Committed, st.lists(event_ids, max_size=4).map(tuple)),
    st.builds(Receipted, st.lists(st.builds(Interval, st.integers(0, 3), numbers, numbers), max_size=3).map(tuple)),
    st.builds(Condition, kinds, st.booleans(), evidence),
)
keys = st.builds(
    "/".join,
    st.lists(st.sampled_from([*parts.LENGTHS, "smoke-1", "gw-1", "gone-1", "smoke", "", "tamper"]), max_size=4),
)
stores = st.dictionaries(
    keys, st.binary(max_size=20) | st.lists(st.integers(), max_size=6).map(lambda found: bytes([0x80 + len(found)]))
)


@given(stores, st.lists(st.tuples(messages, st.integers(-(10**6), 10**6)), max_size=30))
def test_nothing_makes_it_raise(state: dict[str, bytes], said: list[tuple[Input, int]]) -> None:
    now = Now(0, 0, "unset")
    home = Home("gw-1", 1, 7, ROSTER, now=now, state=state)
    for message, later_ms in said:
        now = Now(max(0, now.wall_ms + later_ms), max(0, now.mono_ms + later_ms), "unset")
        home.handle(message, now)
        home.tick(now)
        home.deadline()
    assert {terminal["id"] for terminal in home.terminals(now)} == {terminal.id for terminal in ROSTER}
    assert len(home.alarms(now)) <= (len(ROSTER) + 1) * len(KINDS)


@given(st.lists(st.sampled_from(CONDITIONS), max_size=3, unique=True))
def test_what_is_stored_is_what_a_later_start_finds(conditions: list[str]) -> None:
    now = Now(0, 0)
    home = Home("gw-1", 1, 7, ROSTER, now=now)
    state: dict[str, bytes] = {}
    for message in (Alive("smoke-1", **dict.fromkeys(conditions, True)), Condition("uplink_lost", True)):
        for effect in home.handle(message, now):
            assert isinstance(effect, Commit)
            state.update({key: data for key, data in effect.state.items() if data is not None})
    again = Home("gw-1", 2, 7, ROSTER, now=now, state=state)
    assert sorted(map(str, again.alarms(now))) == sorted(map(str, home.alarms(now)))
    assert not again.counters
