"""The MQTT topics between gateways and the centre, and what a signature under each of them is bound to."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

ALARM: Final = "alarm"
HEARTBEAT: Final = "heartbeat"
TELEMETRY: Final = "telemetry"
ANSWER: Final = "answer"
RECEIPT: Final = "receipt"
COMMAND: Final = "command"
UP: Final = (ALARM, HEARTBEAT, TELEMETRY, ANSWER)  # from a gateway
DOWN: Final = (RECEIPT, COMMAND)  # to a gateway

UP_FILTER: Final = "sixkit/1/+/up/+"  # what the centre subscribes to

ID: Final = r"[a-z0-9-]{1,32}"  # what a gateway, terminal, bridge or uplink may be called on every wire
_TOPIC: Final = re.compile(rf"sixkit/1/({ID})/(?:up/({'|'.join(UP)})|down/({'|'.join(DOWN)}))")


class Topic(NamedTuple):
    """A topic's two variable parts: whose it is, and what it carries (its last word)."""

    gateway: str
    leaf: str

    def __str__(self) -> str:
        return f"sixkit/1/{self.gateway}/{'up' if self.leaf in UP else 'down'}/{self.leaf}"


def build(gateway: str, leaf: str) -> str:
    """The topic of `leaf` for `gateway`; ValueError where either is not allowed."""
    text = str(Topic(gateway, leaf))
    if parse(text) is None:
        raise ValueError(f"no such topic: {text}")
    return text


def parse(text: str) -> Topic | None:
    """What `text` names, or None where it is not one of our topics."""
    match = _TOPIC.fullmatch(text)
    return Topic(match[1], match[2] or match[3]) if match else None


def down_filter(gateway: str) -> str:
    """What `gateway` subscribes to."""
    return f"sixkit/1/{gateway}/down/+"


def context(leaf: str) -> bytes:
    """What an envelope under `leaf` is signed for: one signed as a heartbeat can't be passed off as an alarm."""
    return f"sixkit/1/{leaf}".encode()
