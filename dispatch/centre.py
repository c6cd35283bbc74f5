"""The dispatch centre's receiving end, put together from its configuration, run, and taken apart again."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any, Final

from dispatch import broker, config
from dispatch.clock import Clock
from dispatch.config import Config, GatewaysFile
from dispatch.core import Core
from dispatch.desk import Desk
from dispatch.intake import Intake
from dispatch.journal import Journal
from dispatch.live import Condition
from dispatch.store import Store
from dispatch.web import Web
from protocol.envelope import CENTRE_KID, SigningKey, signing_key
from protocol.words import Told, Unavailable

STOP_S_MAX: Final = 5.0  # for the last commit


def run(path: Path, *, json_output: bool = False, clock_rate: int = 1, stop: threading.Event | None = None) -> int:
    """Run the centre described by the file at `path` until SIGTERM, SIGINT or `stop`; its exit code.

    Raises Told for a configuration, key or clock rate that cannot be used, Unavailable for an address or database.
    """
    settings = config.load(path)
    if clock_rate != 1 and not settings.simulation:
        raise Told(
            f"{path}: --clock-rate is for simulation only; set simulation = true there if this is one",
            f"{path}：--clock-rate 仅用于模拟；如确为模拟，请设 simulation = true",
        )
    clock = Clock(clock_rate, settings.clock_anchor_ms)
    centre = Centre(settings, clock, Journal(json_output, clock.now))
    return centre.run(stop or threading.Event())


class Centre:
    """The centre's parts, joined."""

    def __init__(self, settings: Config, clock: Clock, journal: Journal):
        gateways = GatewaysFile(settings.gateways)
        signer = _signing_key(settings.identity)
        broker.tls(settings.ca, settings.certificate, settings.key)  # says now what would fail at each connection
        store = _store(settings.database)
        desk = Desk(store, gateways.homes(), clock.now())
        desk.places = gateways.places()
        intake = Intake(store, gateways.keys(), signer, desk)
        self._clock = clock
        self._journal = journal
        self._subscribed = threading.Event()
        self._broker_state = (False, "")
        self._ready = False
        self._code = 0
        self._broker = broker.Broker(
            settings.brokers,
            lambda: broker.tls(settings.ca, settings.certificate, settings.key),  # a renewed certificate is taken up
            lambda topic, payload: self._core.inbox.put(topic, payload),
            self._broker_changed,
        )
        self._core = Core(store, desk, intake, gateways, clock, journal, self._broker.publish)
        self._web = Web(settings.http, self._core.inbox.ask, self._condition)
        self._core.changed = self._web.changed

    def run(self, stop: threading.Event) -> int:
        """Until `stop` is set or a thread dies, which a supervisor answers by starting anew; the exit code."""
        self._catch(stop)
        self._core.start()
        self._web.start()
        self._journal.note("board", http=self._web.url)
        self._broker.start()
        stop.wait()
        self._journal.note("stopping")
        self._web.close()
        self._broker.close()
        if not self._core.stop(STOP_S_MAX):
            self._journal.note("trouble", where="stop", detail="the database does not answer")
        self._journal.close()
        return self._code

    def _broker_changed(self, up: bool, detail: str) -> None:
        (self._subscribed.set if up else self._subscribed.clear)()
        if (up, detail) != self._broker_state:  # not a line for each attempt of a long night
            self._journal.note("broker", state="up" if up else "down", detail=detail)
        self._broker_state = up, detail
        if up and not self._ready:
            self._ready = True
            self._journal.note("ready", http=self._web.url)
        self._web.changed()

    def _condition(self) -> Condition:
        counters = {"messages_dropped": 0, "receipts_dropped": 0, **self._core.inbox.counters, **self._journal.counters}
        return Condition(self._subscribed.is_set(), self._clock.rate, counters)

    def _catch(self, stop: threading.Event) -> None:
        if threading.current_thread() is not threading.main_thread():
            return

        def on_signal(number: int, frame: FrameType | None) -> None:
            # By a thread: the handler may interrupt the wait while it holds the event's lock.
            threading.Thread(target=stop.set, daemon=True).start()

        def on_crash(crash: Any) -> None:
            self._code = 1
            stop.set()
            sys.__excepthook__(crash.exc_type, crash.exc_value, crash.exc_traceback)  # last: a log's reader may hang

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, on_signal)
        threading.excepthook = on_crash


def _signing_key(path: Path) -> SigningKey:
    try:
        return signing_key(path.read_bytes(), CENTRE_KID)
    except (OSError, ValueError) as error:
        raise Told(
            f"{path}: not a usable signing key: {error}; `sixkit provision` makes one",
            f"{path}：签名密钥不可用（{error}）；可用 `sixkit provision` 生成",
        ) from error


def _store(path: Path) -> Store:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(
            f"database: {path.parent} cannot be made: {error.strerror}",
            f"database：无法创建 {path.parent}（{error.strerror}）",
        ) from error
    return Store(path)
