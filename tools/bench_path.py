"""The figures of `sixkit bench path`: memory, start-up, and wire-to-desk latency beside the floor of the same run."""

from __future__ import annotations

import queue
import secrets
import socket
import sqlite3
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from protocol import topic
from protocol.words import Unavailable
from sim.case import GATEWAY, TerminalSpec
from sim.home import Home
from sim.site import Site
from sim.stage import Stage
from sim.steps import Step

from .locale import say

BUTTONS: Final = 40  # so that no button is pressed more often than its pace allows
PERIOD_S: Final = 0.2  # between presses: an idle home, and time for the floor's sample
STARTS: Final = 5
ANSWER_S_MAX: Final = 30.0
PAYLOAD: Final = secrets.token_bytes(300)  # about an event in its envelope


def measure(samples: int) -> dict[str, Any]:
    """All figures, in ms and MiB. Raises Unavailable where a part does not start or answer."""
    terminals = [TerminalSpec(f"button-{n}", "button", "room") for n in range(1, BUTTONS + 1)]
    with (
        tempfile.TemporaryDirectory(prefix="sixkit-") as name,
        Stage(Path(name) / "site", terminals, seed=1) as stage,
    ):
        return _measured(stage, samples)


def _measured(stage: Stage, samples: int) -> dict[str, Any]:
    starts = [(_agent_ready_ms(stage), _bare_python_ms()) for _ in range(STARTS)]  # in turn: machines drift
    agent = stage.site.process("agent").pid
    idle_mib = _resident_mib(agent)
    path_ms, floor_ms = _latencies(stage.site, stage.home, samples)
    loaded_mib = _resident_mib(agent)
    return {
        "samples": samples,
        "agent_idle_mib": idle_mib,
        "agent_after_mib": loaded_mib,
        "python_bare_mib": _bare_python_mib(),
        "agent_ready_ms": round(statistics.median(ready for ready, _ in starts)),
        "python_bare_ms": round(statistics.median(bare for _, bare in starts)),
        "path_ms": _percentiles(path_ms),
        "floor_ms": _percentiles(floor_ms),
        "p50_ratio": round(statistics.median(path_ms) / statistics.median(floor_ms), 2),
        "p99_ratio": round(_percentile(path_ms, 99) / _percentile(floor_ms, 99), 2),
    }


def _agent_ready_ms(stage: Stage) -> float:
    """From the start of the agent's process to its readiness; of a start anew, as after a power cut."""
    stage.site.stop("agent")
    began_s = time.monotonic()
    stage.site.start("agent")
    ready_ms = (time.monotonic() - began_s) * 1000
    stage.until_online()
    return ready_ms


def _latencies(site: Site, home: Home, samples: int) -> tuple[list[float], list[float]]:
    """Of each press from the wire to the centre's commit, and of the floor right after it (ms)."""
    floor = _Floor(site)
    floor_ms = []
    try:
        with Progress(console=Console(stderr=True), transient=True) as progress:
            for n in progress.track(range(samples), description=say("pressing buttons", "按键中")):
                home.do(Step(0, f"button-{n % BUTTONS + 1}", "press"))
                time.sleep(PERIOD_S)
                floor_ms.append(floor.sample_ms())
    finally:
        floor.close()
    _wait(lambda: home.pending() == 0 and len(site.lines("centre", "committed")) >= samples)
    ids = {tuple(alarm["source"]): alarm["event_id"] for alarm in site.centre("/api/alarms?limit=20000")}
    done_ms = {line.line.fields["event_id"]: line.line.fields["t"] for line in site.lines("centre", "committed")}
    begun = site.clock.now()
    return [
        float(done_ms[ids[promise.boot, promise.number]] - (begun.wall_ms - begun.mono_ms + promise.offered_ms))
        for promise in home.promises()
    ], floor_ms


class _Floor:
    """What no gateway can beat: a synced commit here, a synced trip through the broker, a synced commit there."""

    def __init__(self, site: Site):
        self._databases = [_database(site.folder / name) for name in ("floor-1.db", "floor-2.db")]
        self._arrived: queue.SimpleQueue[None] = queue.SimpleQueue()
        gateway, centre = site.gateway_folder, site.folder / "centre"
        self._reader = _client(centre / "ca.pem", centre / "dispatch.pem", centre / "dispatch.key")
        self._writer = _client(gateway / "ca.pem", gateway / "uplink.pem", gateway / "uplink.key")
        self._topic = topic.build(GATEWAY, topic.ANSWER)
        self._reader.on_message = lambda client, data, message: self._arrived.put(None)
        for client in (self._reader, self._writer):
            client.connect(*site.broker)
            client.loop_start()
        self._reader.subscribe(self._topic, qos=1)
        time.sleep(1.0)  # the subscription's acknowledgement; a sample before it would wait for ever

    def sample_ms(self) -> float:
        began_s = time.perf_counter()
        _commit(self._databases[0])
        self._writer.publish(self._topic, PAYLOAD, qos=1)
        try:
            self._arrived.get(timeout=ANSWER_S_MAX)
        except queue.Empty:
            raise Unavailable("the broker does not deliver", "消息服务器未送达") from None
        _commit(self._databases[1])
        return (time.perf_counter() - began_s) * 1000

    def close(self) -> None:
        for client in (self._reader, self._writer):
            client.disconnect()
            client.loop_stop()
        for database in self._databases:
            database.close()


def _database(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE floor (id INTEGER PRIMARY KEY, data BLOB)")
    return connection


def _commit(database: sqlite3.Connection) -> None:
    with database:
        database.execute("INSERT INTO floor (data) VALUES (?)", (PAYLOAD,))


def _client(ca: Path, certificate: Path, key: Path) -> mqtt.Client:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=secrets.token_hex(8), protocol=mqtt.MQTTv311)
    context = ssl.create_default_context(cafile=ca)
    context.load_cert_chain(certificate, key)
    client.tls_set_context(context)
    client.on_socket_open = _without_delay
    return client


def _without_delay(_client: mqtt.Client, _data: Any, sock: Any) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _wait(done: Callable[[], bool]) -> None:
    end_s = time.monotonic() + ANSWER_S_MAX
    while not done():
        if time.monotonic() > end_s:
            raise Unavailable(f"no answer within {ANSWER_S_MAX:.0f} s", f"{ANSWER_S_MAX:.0f} 秒内无应答")
        time.sleep(0.02)


def _resident_mib(pid: int) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return round(int(line.split()[1]) / 1024, 1)


def _bare_python_mib() -> float:
    code = "print(next(l for l in open('/proc/self/status') if l.startswith('VmRSS')).split()[1])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return round(int(done.stdout) / 1024, 1)


def _bare_python_ms() -> float:
    began_s = time.monotonic()
    subprocess.run([sys.executable, "-c", ""], check=True)
    return (time.monotonic() - began_s) * 1000


def _percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    return {
        "p50": round(statistics.median(values), 1),
        "p99": round(_percentile(values, 99), 1),
        "max": round(max(values), 1),
    }


def show(found: dict[str, Any]) -> None:
    """The figures as a table for a person."""
    table = Table(title=say("The way of an alarm", "报警路径"), title_justify="left")
    table.add_column("")
    for en, zh in (("here", "本项"), ("compared with", "对照"), ("ratio", "比值")):
        table.add_column(say(en, zh), justify="right")
    for percentile in ("p50", "p99", "max"):
        here, floor = found["path_ms"][percentile], found["floor_ms"][percentile]
        name = say(f"wire to desk, {percentile} (its floor)", f"线路到调度台 {percentile}（下限）")
        table.add_row(name, f"{here} ms", f"{floor} ms", f"{here / floor:.2f}")
    memory, bare = found["agent_after_mib"], found["python_bare_mib"]
    table.add_row(
        say("agent resident (bare Python)", "网关程序内存（裸 Python）"),
        f"{memory} MiB",
        f"{bare} MiB",
        f"{memory / bare:.2f}",
    )
    ready, python = found["agent_ready_ms"], found["python_bare_ms"]
    table.add_row(
        say("agent ready (bare Python)", "网关程序就绪（裸 Python）"),
        f"{ready} ms",
        f"{python} ms",
        f"{ready / python:.1f}",
    )
    Console().print(table)
    Console().print(
        say(
            f"{found['samples']} presses in an idle home. The floor, in the same run: two synced commits and one "
            f"synced trip through the broker. Starts: the median of {STARTS}.",
            f"空闲家庭中按键 {found['samples']} 次。下限取自同一次运行：两次同步提交加一次同步消息往返。"
            f"启动取 {STARTS} 次的中位数。",
        )
    )
