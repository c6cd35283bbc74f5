"""Defects planted in the product, one at a time, to judge the judge: the explorer must find each of them.

Each takes one safeguard away, where the product has it; nothing in the product knows of them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

from dispatch.resend import Resend
from dispatch.store import Store
from gateway import identity
from gateway.agent import Agent
from gateway.delivery import Delivery
from gateway.home.book import Book
from gateway.home.core import Home
from gateway.home.held import Held
from gateway.home.messages import Acknowledge, Receipted, Siren
from gateway.home.supervision import Supervision
from gateway.home.turn import Turn
from gateway.outbox import Outbox
from gateway.sending import Sending
from protocol import envelope, record
from protocol.record import Interval
from protocol.wire.peer import Peer
from protocol.wire.session import Session
from protocol.words import Told
from sim.compiled import COMPILED

Patch = tuple[Any, str, Callable[[Any], Any]]  # whose, which, and what it becomes of what it was


def _acknowledge_at_once(original: Any) -> Any:
    def _take(self: Home, turn: Turn, terminal: Any, reading: Any) -> None:
        original(self, turn, terminal, reading)
        if reading.source is not None:
            turn.acknowledgements.append(Acknowledge(terminal.id, reading.source))

    return _take


def _commit_without_state(original: Any) -> Any:
    return lambda self, events, state: original(self, events, {})


def _settle_what_was_sent(original: Any) -> Any:
    def transmit(self: Delivery, now: Any) -> None:
        original(self, now)
        for sending in self._sendings.values():
            flying = [queue.flying for queue in sending._queues.values() if queue.flying is not None]
            sending.settle([Interval(one.epoch, one.sequence, one.sequence) for one in flying])

    return transmit


def _settle_on_disk_what_was_sent(original: Any) -> Any:
    def step(self: Agent, message: Any, now: Any) -> None:
        before = frozenset().union(*(sending.held() for sending in self._delivery._sendings.values()))
        original(self, message, now)
        after = frozenset().union(*(sending.held() for sending in self._delivery._sendings.values()))
        spans = [Interval(one.epoch, one.sequence, one.sequence) for one in sorted(before - after)]
        if spans:
            self._outbox.settle(spans)
            self._home.handle(Receipted(tuple(spans)), now)

    return step


def _always(answer: Any) -> Callable[[Any], Any]:
    return lambda original: lambda *values, **names: answer


def _last_first(original: Any) -> Any:
    def candidates(self: Sending) -> Any:
        found = original(self)
        return [(order, queue.ids[-1], self._held[queue.ids[-1]], queue) for order, _, _, queue in found]

    return candidates


def _two_in_flight(original: Any) -> Any:
    def ready(self: Sending, now_ms: int) -> Any:
        chosen = original(self, now_ms)
        for queue in self._queues.values():
            if queue.flying is not None and len(queue.ids) > 1:
                held = self._held[queue.ids[1]]
                held.attempts += 1
                chosen.append((held.event, held.attempts))
        return chosen[::-1]

    return ready


def _siren_after_commit(original: Any) -> Any:
    def effects(self: Turn) -> Any:
        found = original(self)
        return [one for one in found if not isinstance(one, Siren)] + [one for one in found if isinstance(one, Siren)]

    return effects


def _unmarked(original: Any) -> Any:
    def unverified(self: Book, turn: Turn, terminal: Any, kind: str, doubts: int) -> None:
        original(self, turn, terminal, kind, doubts)
        if turn.events:
            turn.events[-1] = replace(turn.events[-1], flags=(), link="held", source=record.Source(1, 1))

    return unverified


def _unsigned(original: Any) -> Any:
    def opened(data: bytes, keys: Any, context: bytes) -> Any:
        protected, payload, _ = envelope._parts(data)
        return envelope._header(protected)[0], payload

    return opened


def _never_asks_the_disk(original: Any) -> Any:
    return lambda self, events, more, now, centre=0: original(self, (), {}, now, centre)


# name: (what it takes away, the patches)
DEFECTS: Final[dict[str, tuple[str, tuple[Patch, ...]]]] = {
    "acknowledge_before_commit": (
        "a terminal's event is acknowledged when it is heard",
        ((Home, "_take", _acknowledge_at_once),),
    ),
    "state_apart": ("the core's state is not written with the events", ((Outbox, "commit", _commit_without_state),)),
    "skip_source_dedup": ("the centre knows an event by its id alone", ((Store, "same_source", _always(None)),)),
    "skip_id_dedup": ("the centre forgets which ids it has seen", ((Store, "interval", _always(None)),)),
    "settle_when_sent": (
        "what was sent counts as received",
        ((Delivery, "transmit", _settle_what_was_sent), (Agent, "_step", _settle_on_disk_what_was_sent)),
    ),
    "accept_old_counter": ("a session takes any counter", ((Session, "take", _always(True)),)),
    "restore_overtakes": ("the newest event of a terminal goes first", ((Sending, "_candidates", _last_first),)),
    "two_in_flight": ("a terminal's next event does not wait for the receipt", ((Sending, "ready", _two_in_flight),)),
    "lose_epoch": (
        "every start has the same epoch",
        ((identity, "next_epoch", _always(2**40)), (identity, "epoch_above", _always(2**40))),
    ),
    "siren_after_commit": ("the siren comes after the commit is asked for", ((Turn, "effects", _siren_after_commit),)),
    "never_resend": ("what gets no receipt is not sent again", ((Sending, "_expire", _always(None)),)),
    "deaf_to_silence": (
        "no terminal is ever missed",
        ((Supervision, "missed", _always(())), (Supervision, "deadline", _always(None))),
    ),
    "accept_forged": ("a signature is not looked at", ((envelope, "open", _unsigned),)),
    "unverified_unmarked": ("an alarm in doubt is passed off as genuine", ((Book, "unverified", _unmarked),)),
    "backlog_left_behind": (
        "what the outbox holds at a start is not loaded",
        ((Delivery, "loaded", _never_asks_the_disk),),
    ),
    "never_ask_again": ("a centre that was put back asks for nothing", ((Resend, "command", _always(None)),)),
    "deliver_twice": (
        "the link delivers a repeated event again",
        ((Peer, "_event", lambda original: lambda self, event: [event]), (Held, "was_taken", _always(False))),
    ),
}


def check_plantable(name: str) -> None:
    """Raises Told where this defect ("": none) cannot be planted: methods of compiled classes stay."""
    if name and COMPILED:
        raise Told(
            "--plant: no defect can be planted in compiled code; without tools/compiled it can",
            "--plant：编译后的代码不能植入缺陷；请不用 tools/compiled 运行",
        )


@contextlib.contextmanager
def planted(name: str) -> Iterator[None]:
    """The product has this defect (""; none) for as long as this lasts. Raises Told."""
    check_plantable(name)
    patches = DEFECTS[name][1] if name else ()
    originals = [(owner, attribute, getattr(owner, attribute)) for owner, attribute, _ in patches]
    try:
        for (owner, attribute, change), (_, _, original) in zip(patches, originals, strict=True):
            setattr(owner, attribute, change(original))
        yield
    finally:
        for owner, attribute, original in originals:
            setattr(owner, attribute, original)
