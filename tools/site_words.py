"""What may be asked of provisioning: ids, addresses and terminals, checked before anything is made."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocol import table
from protocol.topic import ID
from protocol.words import Told

# The sensing pieces of one home's kit; motion and door together watch for inactivity.
TERMINAL_KINDS: Final = ("smoke", "gas", "flood", "inactivity", "button", "motion", "door")
BROKER_DEFAULT: Final = "localhost:8883"
PORT_DEFAULT: Final = "/dev/ttyUSB0"
# Names that a certificate or a signature already has a meaning for.
RESERVED: Final = ("dispatch", "centre", "broker")
ROOM_MAX: Final = 32  # characters, as the agent accepts
TEXT_MAX: Final = 200  # characters of a home's address or a port's path
_HOST: Final = r"(?=.{1,253}$)(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a run of provisioning is asked for."""

    gateway: str
    broker: str | None
    home: str
    port: str
    terminals: tuple[tuple[str, str], ...]  # kind and room

    @classmethod
    def checked(cls, gateway: str, broker: str | None, home: str, port: str, terminals: Sequence[str]) -> Wish:
        """Raises Told for what is not allowed."""
        _check_gateway(gateway)
        if broker is not None:
            host_and_port(broker)
        _check_text("--home", home, TEXT_MAX)
        _check_text("--port", port, TEXT_MAX)
        if not port:
            raise Told("--port is empty; it takes a path such as /dev/ttyUSB0", "--port 为空；应为 /dev/ttyUSB0 之类")
        return cls(gateway, broker, home, port, tuple(_kind_and_room(text) for text in terminals))


def host_and_port(text: str) -> tuple[str, int]:
    """The host and port in `text`, such as "broker.example:8883" or "[fd00::1]:8883"; raises Told."""
    address = table.host_and_port(text)
    if address is None or not _host_allowed(text.rpartition(":")[0], address[0]):
        raise Told(
            f"--broker {text!r}: a host and a port from 1 to 65535 are needed, such as broker.example:8883",
            f"--broker {text!r}：应为主机与端口（1 至 65535），如 broker.example:8883",
        )
    return address


def _host_allowed(host: str, bare: str) -> bool:
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return host == bare and re.fullmatch(_HOST, host) is not None
    # 0.0.0.0 can be listened at but not called
    return not address.is_unspecified and (address.version == 6) == (host != bare)


def _check_gateway(gateway: str) -> None:
    if not re.fullmatch(ID, gateway):
        raise Told(
            f"--gateway {gateway!r}: 1 to 32 of a-z, 0-9 and - are allowed",
            f"--gateway {gateway!r}：只允许 1 至 32 个 a-z、0-9 与 -",
        )
    if gateway in RESERVED:
        raise Told(
            f"--gateway {gateway}: this name is taken; gw-1, gw-2 and so on are usual",
            f"--gateway {gateway}：该名称已被占用；通常用 gw-1、gw-2 等",
        )


def _kind_and_room(text: str) -> tuple[str, str]:
    kind, colon, room = text.partition(":")
    kinds = ", ".join(TERMINAL_KINDS)
    if kind not in TERMINAL_KINDS:
        raise Told(
            f"--terminal {text!r}: unknown kind {kind!r}; allowed: {kinds}",
            f"--terminal {text!r}：未知类型 {kind!r}；允许：{kinds}",
        )
    if not (colon and room):
        raise Told(
            f"--terminal {text!r}: the room is missing, such as {kind}:kitchen",
            f"--terminal {text!r}：缺少房间，如 {kind}:厨房",
        )
    _check_text("--terminal", room, ROOM_MAX)
    return kind, room


def _check_text(name: str, text: str, most: int) -> None:
    if len(text) > most or not text.isprintable():
        raise Told(
            f"{name} {text[:most]!r}: at most {most} printable characters",
            f"{name} {text[:most]!r}：最多 {most} 个可显示字符",
        )
