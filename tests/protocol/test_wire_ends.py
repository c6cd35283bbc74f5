"""Both ends of the terminals' link joined by a seeded wire that loses, repeats, bends, delays and reorders."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.wire import codes, messages
from protocol.wire.gateway_end import GatewayEnd
from protocol.wire.terminal_end import TerminalEnd

KINDS = [codes.KINDS.index(kind) for kind in ("smoke", "button", "tamper")]
PHASES = [codes.PHASES.index(phase) for phase in ("raised", "restored")]
END_MS = 600_000  # whatever was offered is through by then
STEPS_MAX = 20_000  # of one end's own deadlines; many more would be an end that spins


@dataclass(frozen=True)
class Faults:
    """Shares of frames, and milliseconds."""

    lost: float = 0.0
    repeated: float = 0.0
    bent: float = 0.0
    noise: float = 0.0
    delay_ms: int = 5
    late: float = 0.0  # delayed by up to `late_ms`, so that others overtake it
    late_ms: int = 800


class World:
    """Terminals and a gateway on one line, in simulated time; checks what must hold at every step."""

    def __init__(self, seed: int, faults: Faults, addresses: tuple[int, ...] = (1001,)):
        self.random, self.faults, self.now = Random(seed), faults, 0
        self.keys = {address: self.random.randbytes(32) for address in addresses}
        self.ends = {address: self._terminal(address) for address in addresses}
        self.gateway = GatewayEnd(self.keys, self.random.randbytes)
        self.offered: dict[tuple[int, int], list[int]] = {}  # by address and boot
        self.committed: dict[tuple[int, int], list[int]] = {}
        self.delivered: set[tuple[int, int, int]] = set()  # by this gateway end
        self.doubts: list[messages.Doubt] = []
        self.held: dict[tuple[int, int], list[int]] = {}
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, when: int, what: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._agenda, (when, self._count, what))

    def run(self, until: int = END_MS) -> None:
        for _ in range(STEPS_MAX):
            self._poll()
            when = min([end.deadline() for end in self.ends.values()] + [a[0] for a in self._agenda[:1]])
            if when > until:
                self.now = until
                return
            assert when >= self.now
            self.now = when
            while self._agenda and self._agenda[0][0] <= self.now:
                heapq.heappop(self._agenda)[2]()
        pytest.fail(f"an end spins at {self.now} ms")

    def offer(self, address: int) -> None:
        end = self.ends[address]
        number = end.offer(self.random.choice(KINDS), self.random.choice(PHASES), number_value(end), self.now)
        self.offered.setdefault((address, end.boot), []).append(number)

    def restart_gateway(self) -> None:
        self.gateway = GatewayEnd(self.keys, self.random.randbytes)
        self.delivered = set()

    def restart_terminal(self, address: int) -> None:
        self.ends[address] = self._terminal(address)

    def _terminal(self, address: int) -> TerminalEnd:
        return TerminalEnd(address, KINDS[0], self.keys[address], self.random.randbytes, self.now)

    def _poll(self) -> None:
        for address, end in self.ends.items():
            self._check_held(address, end)
            self._carry(end.poll(self.now), self._to_gateway)
            assert end.deadline() > self.now
        self._carry(self.gateway.poll(self.now), self._to_terminals)
        assert self.gateway.deadline() is None

    def _check_held(self, address: int, end: TerminalEnd) -> None:
        source = (address, end.boot)
        gone = set(self.held.get(source, [])) - set(end.held())
        assert gone <= set(self.committed.get(source, [])), "acknowledged what is not committed"
        self.held[source] = end.held()

    def _carry(self, data: bytes, to: Callable[[bytes], None]) -> None:
        for frame in frames(data):
            for _ in range(1 + self._happens(self.faults.repeated)):
                if not self._happens(self.faults.lost):
                    delay = self.faults.delay_ms + self._happens(self.faults.late) * self.random.randrange(
                        self.faults.late_ms
                    )
                    self._arrive(self.now + delay, self._worn(frame), to)

    def _arrive(self, when: int, data: bytes, to: Callable[[bytes], None]) -> None:
        cut = self.random.randrange(len(data) + 1)
        self.at(when, lambda: to(data[:cut]))
        self.at(when, lambda: to(data[cut:]))

    def _worn(self, frame: bytes) -> bytes:
        worn = bytearray(frame)
        if self._happens(self.faults.bent):
            worn[self.random.randrange(len(worn))] ^= 1 << self.random.randrange(8)
        if self._happens(self.faults.noise):
            return self.random.randbytes(self.random.randrange(100)) + bytes(worn)
        return bytes(worn)

    def _happens(self, share: float) -> bool:
        return self.random.random() < share

    def _to_terminals(self, data: bytes) -> None:
        for end in self.ends.values():
            end.receive(data, self.now)

    def _to_gateway(self, data: bytes) -> None:
        for said in self.gateway.receive(data, self.now):
            if isinstance(said, messages.Event):
                self._event(said)
            elif isinstance(said, messages.Doubt):
                self.doubts.append(said)

    def _event(self, event: messages.Event) -> None:
        name = (event.address, event.boot, event.number)
        assert name not in self.delivered, "delivered twice by one gateway end"
        self.delivered.add(name)
        assert event.number in self.offered[event.address, event.boot]
        took_ms = self.random.choice((2, 10, 100, 1500))
        gateway = self.gateway
        self.at(self.now + took_ms, lambda: self._commit(gateway, event))

    def _commit(self, gateway: GatewayEnd, event: messages.Event) -> None:
        if gateway is not self.gateway:
            return  # it was killed before it had committed
        done = self.committed.setdefault((event.address, event.boot), [])
        if event.number not in done:
            assert event.number == (done[-1] if done else 0) + 1, "out of order"
            done.append(event.number)
        gateway.acknowledge(event.address, event.boot, event.number)


def number_value(end: TerminalEnd) -> int:
    return end.pending() - 1


def frames(data: bytes) -> Iterator[bytes]:
    for part in data.split(b"\0"):
        if part:
            yield b"\0" + part + b"\0"


BAD_LINE = Faults(lost=0.2, repeated=0.2, bent=0.1, noise=0.1, late=0.2)
SEEDS = st.integers(0, 2**32 - 1)


def scatter(world: World, count: int, within_ms: int) -> None:
    for _ in range(count):
        address = world.random.choice(sorted(world.ends))
        world.at(world.random.randrange(within_ms), lambda address=address: world.offer(address))  # type: ignore[misc]


def check_all_through(world: World) -> None:
    for address, end in world.ends.items():
        assert end.pending() == 0
        assert end.online()
        assert world.committed.get((address, end.boot), []) == world.offered.get((address, end.boot), [])


@given(SEEDS)
def test_a_bad_line_delivers_each_event_once_in_order_and_acknowledges_all(seed: int) -> None:
    world = World(seed, BAD_LINE)
    scatter(world, 12, 20_000)
    world.run()
    check_all_through(world)


@given(SEEDS)
def test_three_terminals_share_a_bad_line(seed: int) -> None:
    world = World(seed, BAD_LINE, (1001, 1002, 4_000_000_000))
    scatter(world, 15, 20_000)
    world.run()
    check_all_through(world)


@given(SEEDS)
def test_gateway_restarts_lose_nothing(seed: int) -> None:
    world = World(seed, BAD_LINE, (1001, 1002))
    scatter(world, 12, 30_000)
    for _ in range(world.random.randrange(1, 6)):
        world.at(world.random.randrange(30_000), world.restart_gateway)
    world.run()
    check_all_through(world)


@given(SEEDS)
def test_terminal_restarts_lose_only_what_was_not_acknowledged(seed: int) -> None:
    world = World(seed, BAD_LINE, (1001, 1002))
    scatter(world, 12, 30_000)
    for _ in range(world.random.randrange(1, 4)):
        world.at(world.random.randrange(30_000), lambda: world.restart_terminal(1001))
        world.at(world.random.randrange(30_000), world.restart_gateway)
    world.run()
    check_all_through(world)


@given(SEEDS)
def test_a_hundred_restarts_of_everything_end_in_good_sessions(seed: int) -> None:
    world = World(seed, Faults(lost=0.05, late=0.1), (1001, 1002))
    for _ in range(50):
        world.at(world.random.randrange(60_000), lambda: world.restart_terminal(1002))
        world.at(world.random.randrange(60_000), world.restart_gateway)
    world.at(60_000, lambda: world.offer(1001))
    world.run(150_000)  # the last restart is noticed with the next heartbeat, 60 s later at most
    check_all_through(world)


def test_a_clean_line_needs_no_repeats_and_raises_no_doubt() -> None:
    world = World(1, Faults())
    world.at(1000, lambda: world.offer(1001))
    world.run(200_000)
    check_all_through(world)
    assert world.doubts == []
    assert {reason for reason, n in world.gateway.counters.items() if n} <= {"repeats"}
    assert set(world.ends[1001].counters.values()) == {0}


@given(SEEDS)
def test_on_a_clean_line_a_restarted_gateway_has_the_event_within_half_a_second(seed: int) -> None:
    world = World(seed, Faults())
    restart = 10_000 + world.random.randrange(60_000)
    world.at(restart, world.restart_gateway)
    world.at(restart + 10, lambda: world.offer(1001))
    world.run(restart + 10 + 4 * 5)  # event, ask, hello, welcome and event again: five ways of 5 ms
    assert not world.delivered
    world.run(restart + 500)
    assert len(world.delivered) == 1
    assert {(d.number, d.reason) for d in world.doubts} == {(1, "bad_tag")}


@given(SEEDS)
def test_an_event_on_its_way_across_a_new_hello_raises_no_doubt(seed: int) -> None:
    world = World(seed, Faults(late=0.5, late_ms=150))
    end = world.ends[1001]
    for at in range(1000, 20_000, 1000):
        world.at(at, lambda: world.offer(1001))
        world.at(at + world.random.randrange(-100, 100), lambda: end._want_hello(world.now))
    world.run()
    check_all_through(world)
    assert world.doubts == []
