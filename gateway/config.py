"""What gateway.toml and its terminals.toml say, checked, as values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gateway.home.fence import Fence
from gateway.home.roster import SILENCE_S_MAX, TERMINALS_MAX
from gateway.home.stillness import ORDINARY, Rule
from protocol.geo import E7
from protocol.table import Table
from protocol.topic import ID
from protocol.words import KINDS, SIGNS, TROUBLE, Told

CONFIG_BYTES_MAX: Final = 1 << 20  # a thousand terminals take 150 kB
UPLINKS_MAX: Final = 8  # a house has two ways out and a second centre; each holds a thousand events in memory
NATIVE: Final = "native"  # kinds of bridge
BRACELET: Final = "bracelet"  # also the kind of terminal at the other end: one on each port
BAUD: Final = {NATIVE: 115200, BRACELET: 9600}  # the usual ones
# A terminal is of the kind that it raises; a bracelet may raise several.
TERMINAL_KINDS: Final = (*(kind for kind, (severity, _, _) in KINDS.items() if severity != TROUBLE), BRACELET, *SIGNS)
RADIUS_M: Final = (50, 100_000)  # of a fence: below it, the error of a fix alone leads out of it
POWER_SUPPLIES: Final = "/sys/class/power_supply"  # where the kernel tells of them
DEBOUNCE_S: Final = 2  # a flicker is over by then; a machine that has a capacitor for a backup wants 0
DEBOUNCE_S_MAX: Final = 90  # lost mains is to be an alarm within 100 s, and 10 s are for the way (GB 26875)
LOW_PCT: Final = 20  # of a day's backup: some hours to find somebody

STILL_S: Final = (600, 172_800)  # shorter, and it asks who reads a book; two days are no watch any more
STILL_S_SIMULATED: Final = 60  # where an evening is played in a minute
ANSWER_S: Final = (30, 1800)  # to get up and to the button; beyond half an hour nobody waits for an answer
AWAY_S: Final = (60, 7200)  # below a minute nobody has come in from the door yet
OFFSET_MIN: Final = (-720, 840)  # of all time zones


@dataclass(frozen=True, slots=True)
class UplinkConfig:
    """One way to a centre."""

    name: str
    brokers: tuple[tuple[str, int], ...]  # tried in turn
    ca: Path
    certificate: Path
    key: Path
    centre: Path  # the public key of the centre at its end


@dataclass(frozen=True, slots=True)
class BridgeConfig:
    """One serial port with terminals on it."""

    id: str
    port: str
    baud: int
    kind: str = NATIVE


@dataclass(frozen=True, slots=True)
class TerminalConfig:
    """One terminal that is known here."""

    id: str
    kind: str
    room: str
    bridge: str
    address: int  # 0 for a bracelet, which is alone on its port
    key: bytes  # empty for a bracelet: NMEA 0183 knows of none
    silence_s_max: int
    fence: Fence | None = None
    installed_ms: int | None = None  # wall time; None: its age is not judged


@dataclass(frozen=True, slots=True)
class Driver:
    """What moves the siren, chimes or tells the resident: the journal alone (empty command), or a command as well."""

    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PowerConfig:
    """What tells of mains and backup battery."""

    driver: str = "none"  # "sysfs", "gpio" or "file"
    path: Path = Path(POWER_SUPPLIES)  # gpio: the value file of the line that says that mains is lost
    backup: Path | None = None  # gpio: of the line that says that the backup is low
    active_low: bool = False  # gpio: 0 says so
    debounce_s: int = DEBOUNCE_S  # so long a loss lasts before it is one
    low_pct: int = LOW_PCT  # below it the backup is low


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that the agent is told."""

    gateway: str
    language: str
    simulation: bool
    clock_anchor_ms: int
    data: Path
    identity: Path
    centre: Path
    heartbeat_s: int
    uplinks: tuple[UplinkConfig, ...]
    bridges: tuple[BridgeConfig, ...]
    terminals: tuple[TerminalConfig, ...]
    siren: Driver
    resident: Driver
    chime: Driver
    power: PowerConfig
    stillness: Rule
    socket: Path


def load(path: Path) -> Config:
    """The configuration in the file at `path`; its relative paths are relative to the file's folder.

    Raises Told: the file, the key, the value, what is allowed.
    """
    folder = path.parent
    top = _read(path)
    centre = top.text("centre")
    simulation = top.flag("simulation", False)
    bridges = tuple(_bridge(row) for row in top.tables("bridge", ()))
    config = Config(
        gateway=top.text("gateway", pattern=ID),
        language=top.choice("language", ("zh", "en"), "zh"),
        simulation=simulation,
        clock_anchor_ms=top.number("clock_anchor_ms", 0, 2**53, 0),
        data=folder / top.text("data", "data"),
        identity=folder / top.text("identity"),
        centre=folder / centre,
        heartbeat_s=top.number("heartbeat_s", 5, 3600, 30),
        uplinks=tuple(_uplink(row, folder, n, centre) for n, row in enumerate(top.tables("uplink"), 1)),
        bridges=bridges,
        terminals=_terminals(folder / top.text("terminals"), bridges),
        siren=_driver(top.table("siren", {})),
        resident=_driver(top.table("resident", {})),
        chime=_driver(top.table("chime", {})),
        power=_power(top.table("power", {}), folder),
        stillness=stillness(top.table("stillness", {}), simulation),
        socket=folder / _status_socket(top.table("status", {})),
    )
    top.finish()
    if not 1 <= len(config.uplinks) <= UPLINKS_MAX:
        count = len(config.uplinks)
        raise Told(
            f"{path}: {count} uplinks; 1 to {UPLINKS_MAX}", f"{path}：上行有 {count} 个；须为 1 到 {UPLINKS_MAX} 个"
        )
    if any(terminal.id == config.gateway for terminal in config.terminals):
        raise Told(
            f"{path}: a terminal has the gateway's id {config.gateway}", f"{path}：有终端与网关同名 {config.gateway}"
        )
    return config


def _read(path: Path) -> Table:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Told(
            f"{path}: cannot be read: {error.strerror}; `sixkit provision` makes one",
            f"{path}：无法读取（{error.strerror}）；可用 `sixkit provision` 生成",
        ) from error
    return Table.parsed(data, str(path), CONFIG_BYTES_MAX)


def _uplink(row: Table, folder: Path, number: int, centre: str) -> UplinkConfig:
    row.choice("kind", ("mqtt",))
    uplink = UplinkConfig(
        name=row.text("name", f"mqtt-{number}", ID),
        brokers=row.addresses("brokers"),
        ca=folder / row.text("ca"),
        certificate=folder / row.text("certificate"),
        key=folder / row.text("key"),
        centre=folder / row.text("centre", centre),
    )
    row.finish()
    return uplink


def _bridge(row: Table) -> BridgeConfig:
    kind = row.choice("kind", (NATIVE, BRACELET))
    name, port = row.text("id", pattern=ID), row.text("port")
    bridge = BridgeConfig(name, port, row.number("baud", 1200, 4_000_000, BAUD[kind]), kind)
    row.finish()
    return bridge


def _terminals(path: Path, bridges: tuple[BridgeConfig, ...]) -> tuple[TerminalConfig, ...]:
    top = _read(path)
    rows = top.tables("terminal", ())
    top.finish()
    if len(rows) > TERMINALS_MAX:
        raise Told(f"{path}: {len(rows)} terminals; at most {TERMINALS_MAX}", f"{path}：终端超过 {TERMINALS_MAX} 个")
    kinds = {bridge.id: bridge.kind for bridge in bridges}
    terminals = tuple(_terminal(row, kinds) for row in rows)
    _refuse_twins(path, "id", [terminal.id for terminal in terminals])
    _refuse_twins(path, "address", [f"{terminal.bridge}/{terminal.address}" for terminal in terminals])
    _refuse_nobody(path, [bridge.id for bridge in bridges if bridge.kind == BRACELET], terminals)
    return terminals


def _terminal(row: Table, bridges: Mapping[str, str]) -> TerminalConfig:
    """`bridges` has the kind of each bridge by its id."""
    bridge = row.choice("bridge", sorted(bridges))
    worn = bridges[bridge] == BRACELET
    kinds = (BRACELET,) if worn else tuple(kind for kind in TERMINAL_KINDS if kind != BRACELET)
    terminal = TerminalConfig(
        id=row.text("id", pattern=ID),
        kind=row.choice("kind", kinds),
        room=row.text("room", "", pattern=r"[^\x00-\x1f]{0,32}"),
        bridge=bridge,
        address=0 if worn else row.number("address", 1, 2**32 - 1),
        key=b"" if worn else _key(row),
        silence_s_max=row.number("silence_s_max", 10, 7200, SILENCE_S_MAX),
        fence=_fence(row.table("fence")) if worn and row.peek("fence") is not None else None,
        installed_ms=_day_ms(row, "installed") if row.peek("installed") is not None else None,
    )
    row.finish()
    return terminal


def _key(row: Table) -> bytes:
    key = row.text("key")
    if not re.fullmatch("[0-9a-f]{64}", key):  # the key itself is not shown: errors end up in photographs
        raise row.wrong("key", "…", "64 hexadecimal digits, lower case", "64 位小写十六进制数")
    return bytes.fromhex(key)


def _day_ms(row: Table, key: str) -> int:
    """The wall time at which the day that `key` says begins in UTC: a life of years does not ask for the zone."""
    text = row.text(key)
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise row.wrong(key, text, 'a day like "2026-03-01"', "形如 “2026-03-01” 的日期") from None
    return round(day.timestamp() * 1000)


def _fence(row: Table) -> Fence:
    latitude, longitude = row.real("latitude", -90, 90), row.real("longitude", -180, 180)
    fence = Fence(round(latitude * E7), round(longitude * E7), row.number("radius_m", *RADIUS_M))
    row.finish()
    return fence


def _refuse_nobody(path: Path, bridges: list[str], terminals: tuple[TerminalConfig, ...]) -> None:
    """Raises Told where a bracelet's port has no bracelet: nobody would notice its silence."""
    worn = {terminal.bridge for terminal in terminals}
    for bridge in bridges:
        if bridge not in worn:
            raise Told(f"{path}: no terminal has bridge {bridge}", f"{path}：没有终端使用 bridge {bridge}")


def _refuse_twins(path: Path, key: str, values: list[str]) -> None:
    for value in values:
        if values.count(value) > 1:
            raise Told(f"{path}: two terminals with {key} {value}", f"{path}：两个终端的 {key} 同为 {value}")


def _driver(row: Table) -> Driver:
    kind = row.choice("driver", ("log", "command"), "log")
    command = row.texts("command", ())
    row.finish()
    if (kind == "command") != bool(command):
        raise row.wrong(
            "command", list(command), 'a command with driver = "command", none with "log"', "与 driver 一致"
        )
    return Driver(command)


def _power(row: Table, folder: Path) -> PowerConfig:
    driver = row.choice("driver", ("none", "sysfs", "gpio", "file"), "none")
    path = row.text("path", *([POWER_SUPPLIES] if driver in ("none", "sysfs") else []))
    backup = row.text("backup", "") if driver == "gpio" else ""
    power = PowerConfig(
        driver=driver,
        path=folder / path,
        backup=folder / backup if backup else None,
        active_low=row.flag("active_low", False) if driver == "gpio" else False,
        debounce_s=row.number("debounce_s", 0, DEBOUNCE_S_MAX, DEBOUNCE_S),
        low_pct=row.number("low_pct", 1, 90, LOW_PCT),
    )
    row.finish()
    return power


def stillness(row: Table, simulation: bool = False) -> Rule:
    """When a still home is too still: what is not said is ORDINARY. Raises Told."""
    least_s = STILL_S_SIMULATED if simulation else STILL_S[0]
    day_s = row.number("day_s", least_s, STILL_S[1], ORDINARY.day_ms // 1000)
    found = Rule(
        day_ms=day_s * 1000,
        night_ms=row.number("night_s", day_s, STILL_S[1], max(day_s, ORDINARY.night_ms // 1000)) * 1000,
        answer_ms=row.number("answer_s", *ANSWER_S, ORDINARY.answer_ms // 1000) * 1000,
        away_ms=row.number("away_s", *AWAY_S, ORDINARY.away_ms // 1000) * 1000,
        night=_night(row) if row.peek("night") is not None else ORDINARY.night,
        offset_ms=row.number("utc_offset_min", *OFFSET_MIN, ORDINARY.offset_ms // 60_000) * 60_000,
    )
    row.finish()
    return found


def _night(row: Table) -> tuple[int, int]:
    texts = row.texts("night")
    times = [clock_ms(text) for text in texts]
    match times:
        case [int(begins), int(ends)] if begins != ends:
            return begins, ends
    raise row.wrong(
        "night", list(texts), 'its beginning and end, like ["22:00", "07:00"]', '起止时刻，形如 ["22:00", "07:00"]'
    )


def clock_ms(text: str) -> int | None:
    """The ms from midnight to the time of day "hh:mm", or None."""
    found = re.fullmatch(r"([01][0-9]|2[0-3]):([0-5][0-9])", text)
    return (int(found[1]) * 60 + int(found[2])) * 60_000 if found else None


def _status_socket(row: Table) -> str:
    socket = row.text("socket", "data/status.sock")
    row.finish()
    return socket
