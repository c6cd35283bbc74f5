"""`sixkit status`: what a running agent says of itself."""

from __future__ import annotations

import argparse
import json
from datetime import datetime
from typing import Any

from protocol.words import KINDS

from .command import GOOD, NOT_SO, add_config
from .locale import language, say


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.description = say(
        "Ask a running agent how it is. Exit code 0: all is well; 1: something is not; 3: no agent answers.",
        "查询运行中的网关程序。退出码 0：一切正常；1：有异常；3：网关程序无应答。",
    )
    parser.epilog = say("example: ", "示例：") + "sixkit status --config /etc/sixkit/gateway.toml --json"
    add_config(parser, "gateway.toml")
    parser.add_argument("--json", action="store_true", help=say("the whole status as JSON", "以 JSON 输出全部状态"))


def run(args: argparse.Namespace) -> int:
    from gateway import config, status

    found = status.ask(config.load(args.config).socket)
    print(json.dumps(found, ensure_ascii=False) if args.json else "\n".join(shown(found)))
    return GOOD if well(found) else NOT_SO


def well(found: dict[str, Any]) -> bool:
    """Whether nothing in this status wants a look: a centre that answers, every terminal heard, no alarm or trouble
    standing, the clock set."""
    return (
        any(_answered(uplink) for uplink in found["uplinks"])
        and all(terminal["last_seen_s"] is not None for terminal in found["terminals"])
        and all(bridge["up"] for bridge in found["bridges"])
        and not found["alarms"]
        and found["clock"]["quality"] != "unset"
        and (found["power"] is None or found["power"]["mains"] is not None)
    )


def shown(found: dict[str, Any]) -> list[str]:
    """The status for a person."""
    outbox, clock = found["outbox"], found["clock"]
    when = datetime.fromtimestamp(clock["wall_ms"] / 1000).astimezone().isoformat(timespec="seconds")
    lines = [
        f"{found['gateway']}  sixkit {found['version']}  "
        + say(f"up {found['uptime_s']} s", f"已运行 {found['uptime_s']} 秒"),
        say("clock    ", "时钟  ") + f"{when} ({clock['quality']})",
        say("outbox   ", "待送  ")
        + say(
            f"{outbox['unsettled']} events wait, the oldest for {outbox['oldest_s']} s",
            f"{outbox['unsettled']} 条待确认，最早 {outbox['oldest_s']} 秒",
        ),
    ]
    if found["power"] is not None:
        lines.append(say("power    ", "供电  ") + _power(found["power"]))
    for uplink in found["uplinks"]:
        lines.append(say("uplink   ", "上行  ") + f"{_mark(_answered(uplink))} {uplink['name']} {_uplink(uplink)}")
    for bridge in found["bridges"]:
        lines.append(say("bridge   ", "接入  ") + f"{_mark(bridge['up'])} {bridge['id']} {bridge['port']}")
    lines += [_terminal(terminal) for terminal in found["terminals"]]
    for alarm in found["alarms"]:
        if alarm["terminal"] == found["gateway"]:
            lines.append(say("trouble  ", "故障  ") + f"{_mark(False)} {_kind(alarm['kind'])}")
    return lines


def _power(power: dict[str, Any]) -> str:
    if power["mains"] is None:
        return f"{_mark(False)} {say('unknown: ', '未知：')}{power['detail']}"
    mains = say("mains", "市电") if power["mains"] else say("mains lost", "市电中断")
    low = power["backup_low"] is True
    charge = (
        ""
        if power["backup_pct"] is None
        else say(f", backup {power['backup_pct']} %", f"，备用 {power['backup_pct']} %")
    )
    return f"{_mark(power['mains'] and not low)} {mains}{charge}" + (say(", low", "，电量低") if low else "")


def _answered(uplink: dict[str, Any]) -> bool:
    return bool(uplink["up"]) and uplink["receipt_s"] is not None


def _uplink(uplink: dict[str, Any]) -> str:
    seconds = uplink["receipt_s"]
    if seconds is None:
        return f"{uplink['detail']}  " + say("no receipt from the centre yet", "尚未收到中心回执")
    return f"{uplink['detail']}  " + say(f"the centre's last receipt {seconds} s ago", f"{seconds} 秒前收到中心回执")


def _terminal(terminal: dict[str, Any]) -> str:
    troubles = [_kind(kind) for kind in terminal["troubles"]]
    seen = terminal["last_seen_s"]
    heard = say("not heard yet", "尚未收到") if seen is None else say(f"heard {seen} s ago", f"{seen} 秒前")
    mark = _mark(not troubles and seen is not None)
    return (
        say("terminal ", "终端  ")
        + f"{mark} {terminal['id']:<14} {terminal['room']:<10} {terminal['state']:<8} {heard}  "
        + ", ".join(troubles)
    ).rstrip()


def _kind(kind: str) -> str:
    return KINDS[kind][2 if language() == "zh" else 1]


def _mark(good: bool) -> str:
    return "✓" if good else "✗"
