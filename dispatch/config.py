"""What dispatch.toml and its gateways.toml say, checked, as values."""

from __future__ import annotations

import base64
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dispatch.sketch import Place
from protocol.envelope import VerifyingKey, verifying_key
from protocol.geo import E7
from protocol.table import Table
from protocol.topic import ID
from protocol.words import Told

CONFIG_BYTES_MAX: Final = 16 << 20  # a gateway takes about 120 bytes: a hundred thousand of them
PUBLIC_KEY_BYTES: Final = 32  # Ed25519, RFC 8032
HOME_CHARACTERS_MAX: Final = 200  # the name of a home as the board shows it
FENCE_M: Final = (50, 100_000)  # radius: what a gateway takes too


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that the centre is told."""

    brokers: tuple[tuple[str, int], ...]  # tried in turn
    ca: Path
    certificate: Path
    key: Path
    identity: Path
    gateways: Path
    database: Path
    http: tuple[str, int]  # a loopback address; port 0 takes any free one
    simulation: bool
    clock_anchor_ms: int


@dataclass(frozen=True, slots=True)
class Gateway:
    """One gateway that is known here."""

    id: str
    key: VerifyingKey
    home: str
    place: Place | None  # where that home is


def load(path: Path) -> Config:
    """The configuration in the file at `path`; its relative paths are relative to the file's folder.

    Raises Told: the file, the key, the value, what is allowed.
    """
    folder = path.parent
    top = _read(path)
    config = Config(
        brokers=top.addresses("broker"),
        ca=_file(top, "ca", folder),
        certificate=_file(top, "certificate", folder),
        key=_file(top, "key", folder),
        identity=_file(top, "identity", folder),
        gateways=_file(top, "gateways", folder),
        database=folder / top.text("database", "data/centre.db"),
        http=_loopback(top),
        simulation=top.flag("simulation", False),
        clock_anchor_ms=top.number("clock_anchor_ms", 0, 2**53, 0),
    )
    top.finish()
    return config


def gateways(path: Path) -> dict[str, Gateway]:
    """The gateways in the file at `path`, by id. Raises Told as `load` does."""
    table = _read(path)
    rows = table.table("gateway", {})
    table.finish()
    known = {}
    for name in rows.left():
        row = rows.table(name)
        if not re.fullmatch(ID, name):
            raise rows.wrong(name, name, f"an id like {ID}", f"形如 {ID} 的编号")
        known[name] = Gateway(name, _key(row, name), _home(row), _place(row))
        row.finish()
    return known


class GatewaysFile:
    """gateways.toml, read again when it has changed; a broken edit leaves what was known before."""

    def __init__(self, path: Path):
        """Raises Told where the file is not good now."""
        self._path = path
        self._seen = _signature(path)
        self.known: Mapping[str, Gateway] = gateways(path)

    def refresh(self) -> bool:
        """Whether `known` is new. Raises Told once for each edit that is not good, and keeps the old one."""
        signature = _signature(self._path)
        if signature == self._seen:
            return False
        self._seen = signature
        self.known = gateways(self._path)
        return True

    def keys(self) -> dict[bytes, VerifyingKey]:
        """The gateways' public keys, by the name that their signatures carry."""
        return {gateway.key.kid: gateway.key for gateway in self.known.values()}

    def homes(self) -> dict[str, str]:
        """The gateways' homes, by gateway."""
        return {gateway.id: gateway.home for gateway in self.known.values()}

    def places(self) -> dict[str, Place]:
        """Where homes are, by gateway: of those of which it is known."""
        return {gateway.id: gateway.place for gateway in self.known.values() if gateway.place}


def _signature(path: Path) -> tuple[int, ...]:
    try:
        stat = os.stat(path)
    except OSError:
        return ()
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _read(path: Path) -> Table:
    try:
        with path.open("rb") as file:
            data = file.read(CONFIG_BYTES_MAX + 1)
    except OSError as error:
        raise Told(
            f"{path}: cannot be read: {error.strerror}; `sixkit provision` makes one",
            f"{path}：无法读取（{error.strerror}）；可用 `sixkit provision` 生成",
        ) from error
    return Table.parsed(data, str(path), CONFIG_BYTES_MAX)


def _loopback(top: Table) -> tuple[str, int]:
    """The board's address. It asks nobody who they are yet, so it is for this machine alone, or for a proxy that
    does ask."""
    host, port = top.address("http", "127.0.0.1:8600", port_least=0)
    host = "127.0.0.1" if host == "localhost" else host
    try:
        good = ipaddress.ip_address(host).is_loopback
    except ValueError:
        good = False
    if not good:
        raise top.wrong(
            "http", f"{host}:{port}", 'a loopback address, such as "127.0.0.1:8600"', "回环地址，如 “127.0.0.1:8600”"
        )
    return host, port


def _file(top: Table, key: str, folder: Path) -> Path:
    name = top.text(key)
    path = folder / name
    if not path.is_file():
        raise top.wrong(key, name, f"a file that exists ({path} does not)", f"存在的文件（没有 {path}）")
    return path


def _key(row: Table, gateway: str) -> VerifyingKey:
    text = row.text("key")
    try:
        raw = base64.b64decode(text, validate=True)
        if len(raw) != PUBLIC_KEY_BYTES:
            raise ValueError(f"{len(raw)} bytes")
        return verifying_key(raw, gateway.encode())
    except ValueError as error:
        size = PUBLIC_KEY_BYTES
        raise row.wrong("key", text, f"{size} bytes of public key in base64", f"{size} 字节公钥的 base64") from error


def _home(row: Table) -> str:
    home = row.text("home", "")
    if len(home) > HOME_CHARACTERS_MAX:
        raise row.wrong("home", home, f"at most {HOME_CHARACTERS_MAX} characters", f"至多 {HOME_CHARACTERS_MAX} 个字符")
    return home


def _place(row: Table) -> Place | None:
    if row.peek("place") is None:
        return None
    where = row.table("place")
    latitude, longitude = where.real("latitude", -90, 90), where.real("longitude", -180, 180)
    place = Place(round(latitude * E7), round(longitude * E7), where.number_or_none("fence_m", *FENCE_M) or 0)
    where.finish()
    return place
