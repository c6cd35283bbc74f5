"""Events to the centre and receipts back, over every uplink: what is sealed, sent, awaited and settled."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, TypeVar

from gateway.inventory import Inventory
from gateway.journal import Notes
from gateway.sending import Sending
from protocol import envelope, record, topic
from protocol.record import Command, Event, EventId, Heartbeat, Now, Receipt, Stamp

PATH_LOST_MS: Final = 90_000  # no receipt for so long: the path is lost (GB 26875: signalled within 100 s)
HEARTBEATS_ECHOED_MAX: Final = 8  # heartbeats whose answer may still come; an older answer tells no time

_FORGED: Final = tuple(  # counters of what no centre of ours had signed
    f"{leaf}_refused_{reason}"
    for leaf in (topic.RECEIPT, topic.COMMAND)
    for reason in ("signature", "alg", "unknown_key")
)

_Answer = TypeVar("_Answer", Receipt, Command)


class Uplink(Protocol):
    """A way to a centre, run by a thread of its own."""

    counters: Counter[str]

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def send(self, tail: str, payload: bytes) -> bool: ...


class Delivery:
    """Pure but for `uplink.send`, which never blocks."""

    def __init__(
        self,
        gateway: str,
        boot: int,
        uplinks: Mapping[str, Uplink],
        signing: envelope.SigningKey,
        centre: envelope.VerifyingKey,
        journal: Notes,
        random: Callable[[int], bytes] = os.urandom,
        others: Mapping[str, envelope.VerifyingKey] | None = None,
    ):
        """`centre` is the key of the first centre; it is behind every uplink that has no other key in `others`."""
        self.counters: Counter[str] = Counter()
        self.up: dict[str, bool] = dict.fromkeys(uplinks, False)
        self.details: dict[str, str] = dict.fromkeys(uplinks, "")
        self.inventory = Inventory()
        self._gateway = gateway
        self._boot = boot
        self._uplinks = dict(uplinks)
        self._sendings = {name: Sending() for name in uplinks}
        self._signing = signing
        keys = {name: (others or {}).get(name, centre) for name in uplinks}
        self._keys = {name: {envelope.CENTRE_KID: key} for name, key in keys.items()}
        self._centres = numbered(centre, keys)
        self._numbers = sorted(set(self._centres.values()))
        self._journal = journal
        self._heartbeat = int.from_bytes(random(4), "big")
        self._heartbeats_ms: dict[int, int] = {}  # number: mono ms when sent
        # Those of them that a command may answer, with the centre that may, by what it asks for.
        most = HEARTBEATS_ECHOED_MAX * len(self._numbers)
        self._telling: dict[str, deque[tuple[int, int]]] = {action: deque(maxlen=most) for action in record.ACTIONS}
        self._receipts_ms: dict[str, int] = {}  # by uplink, when the last one came

    def add(self, events: Sequence[Event]) -> None:
        """These happened just now."""
        for sending in self._sendings.values():
            for event in events:
                sending.add(event, live=True)

    def loaded(self, events: Sequence[Event], more: Mapping[str, EventId], now: Now, centre: int = 0) -> None:
        """What the outbox brought for this centre, and the first event of each terminal that still waits there."""
        for sending in self._to(centre):
            sending.loaded(events, more, now.mono_ms)

    def again(self, uplink: str, events: Sequence[Event], now: Now) -> list[EventId]:
        """Send these once more over `uplink`: the centre behind it has lost them. What is sent of them."""
        taken = self._sendings[uplink].again(events, now.mono_ms)
        self.counters["resent"] += len(taken)
        return taken

    def centres(self) -> Sequence[int]:
        """The numbers of all centres; the first has 0."""
        return self._numbers

    def centre_of(self, uplink: str) -> int:
        """The number of the centre behind this uplink."""
        return self._centres[uplink]

    def wanting(self, count: int, centre: int = 0) -> frozenset[EventId] | None:
        """What is here already for this centre, where the outbox holds more and there is room for `count`; else
        None."""
        wanting = [sending for sending in self._to(centre) if sending.behind() and sending.room() >= count]
        return frozenset.intersection(*(sending.held() for sending in wanting)) if wanting else None

    def transmit(self, now: Now) -> None:
        """Send everything that is due on every uplink that is up."""
        for name, uplink in self._up():
            for event, attempt in self._sendings[name].ready(now.mono_ms):
                data = event.to_record(attempt, self._age_ms(event, now))
                if uplink.send(topic.ALARM, envelope.seal(data, self._signing, topic.context(topic.ALARM))):
                    self._journal.note("sent", id=str(event.id), attempt=attempt, uplink=name)

    def beat(self, now: Now, version: str, uptime_s: int, terminals: int, silent: int) -> None:
        """Send a heartbeat on every uplink that is up."""
        self._heartbeat = (self._heartbeat + 1) % 2**32
        oldest_ms = self.oldest_ms()
        settled = self.inventory.window()
        beat = Heartbeat(
            self._gateway,
            self._heartbeat,
            Stamp.of(now, self._boot),
            version,
            uptime_s,
            self.unsettled(),
            0 if oldest_ms is None else max(0, now.mono_ms - oldest_ms) // 1000,
            terminals,
            silent,
            settled,
        )
        for action, telling in self._telling.items():
            if settled or action != record.RESEND:
                telling.extend((self._heartbeat, centre) for centre in self.centres())
        self._heartbeats_ms[self._heartbeat] = now.mono_ms
        while len(self._heartbeats_ms) > HEARTBEATS_ECHOED_MAX:
            del self._heartbeats_ms[next(iter(self._heartbeats_ms))]
        if up := self._up():  # else nobody would get what takes a signature to make
            data = envelope.seal(beat.to_record(), self._signing, topic.context(topic.HEARTBEAT))
            for _, uplink in up:
                uplink.send(topic.HEARTBEAT, data)

    def uplink_changed(self, name: str, up: bool, detail: str) -> None:
        self.up[name] = up
        self.details[name] = detail
        if not up:
            self._sendings[name].lost()
        self._journal.note("uplink", name=name, up=up, detail=detail)

    def receipt(self, uplink: str, payload: bytes, now: Now) -> tuple[Receipt, int | None] | None:
        """The receipt in `payload`, which came over `uplink`, with the mono ms at which the heartbeat that it answers
        was sent (None: answers none).

        Anything that the centre did not sign for this gateway is counted and dropped."""
        receipt = self._opened(uplink, topic.RECEIPT, Receipt, payload)
        if receipt is None:
            return None
        self._receipts_ms[uplink] = now.mono_ms
        asked_ms = self._heartbeats_ms.pop(receipt.echo, None) if receipt.echo is not None else None
        return receipt, asked_ms

    def command(self, uplink: str, payload: bytes) -> Command | None:
        """The command in `payload`, which came over `uplink`, if it answers one of the last heartbeats, as the first of
        its action.

        So nobody can make us do anything with what the centre said once: not even after a start, for heartbeats are
        numbered from a random one. Counted and dropped like a receipt."""
        command = self._opened(uplink, topic.COMMAND, Command, payload)
        if command is None:
            return None
        answered, telling = (command.echo, self._centres[uplink]), self._telling[command.action]
        if answered not in telling:
            self.counters["command_refused_stale"] += 1
            return None
        telling.remove(answered)
        return command

    def settle(self, receipt: Receipt, centre: int = 0) -> list[EventId]:
        """What this centre's receipt settles that was not settled before."""
        settled = {event for sending in self._to(centre) for event in sending.settle(receipt.intervals)}
        return sorted(settled)

    def path_lost(self, started_ms: int, now: Now) -> bool | None:
        """Whether the path to the first centre counts as lost: no receipt for PATH_LOST_MS. None: none came as yet."""
        receipts_ms = [ms for name, ms in self._receipts_ms.items() if self._centres[name] == 0]
        if now.mono_ms - max(receipts_ms, default=started_ms) >= PATH_LOST_MS:
            return True
        return False if receipts_ms else None

    def receipt_s(self, uplink: str, now: Now) -> int | None:
        """Seconds since the last receipt came over `uplink`; None: none did."""
        receipt_ms = self._receipts_ms.get(uplink)
        return None if receipt_ms is None else (now.mono_ms - receipt_ms) // 1000

    def unsettled(self) -> int:
        return max((sending.waiting() for sending in self._sendings.values()), default=0)

    def oldest_ms(self) -> int | None:
        """Mono ms of the oldest event that waits; an event of an earlier boot counts from when it was loaded."""
        oldest = [ms for sending in self._sendings.values() if (ms := sending.oldest_ms()) is not None]
        return min(oldest, default=None)

    def deadline(self) -> int | None:
        """When `transmit` has something to do next, if nothing comes in (mono ms)."""
        due = [ms for name, _ in self._up() if (ms := self._sendings[name].deadline()) is not None]
        return min(due, default=None)

    def all_counters(self) -> Counter[str]:
        """What was refused here, and what each uplink dropped with its name in front."""
        counters = Counter(self.counters)
        for name, uplink in self._uplinks.items():
            counters.update({f"{name}.{reason}": count for reason, count in uplink.counters.items()})
        return counters

    def forged(self) -> int:
        """How many answers came that no centre of ours had signed."""
        return sum(self.counters[name] for name in _FORGED)

    def _to(self, centre: int) -> list[Sending]:
        return [sending for name, sending in self._sendings.items() if self._centres[name] == centre]

    def _opened(self, uplink: str, leaf: str, kind: type[_Answer], payload: bytes) -> _Answer | None:
        """What the centre behind this uplink signed for this gateway under `leaf`; anything else is counted."""
        try:
            _, data = envelope.open(payload, self._keys[uplink], topic.context(leaf))
            found = record.decode(data)
        except (envelope.EnvelopeError, record.RecordError) as error:
            self.counters[f"{leaf}_refused_{error.reason}"] += 1
            return None
        if not isinstance(found, kind) or found.gateway != self._gateway:
            self.counters[f"{leaf}_refused_foreign"] += 1
            return None
        return found

    def _up(self) -> list[tuple[str, Uplink]]:
        return [(name, uplink) for name, uplink in self._uplinks.items() if self.up[name]]

    def _age_ms(self, event: Event, now: Now) -> int | None:
        if event.time.boot == self._boot:
            return max(0, now.mono_ms - event.time.mono_ms)
        if "unset" in (event.time.quality, now.quality):
            return None
        return max(0, now.wall_ms - event.time.wall_ms)


def numbered(first: envelope.VerifyingKey, uplinks: Mapping[str, envelope.VerifyingKey]) -> dict[str, int]:
    """The number of the centre behind each uplink, by its key: 0 is the first, the others follow as they come."""
    numbers = {first.raw: 0}
    return {name: numbers.setdefault(key.raw, len(numbers)) for name, key in uplinks.items()}
