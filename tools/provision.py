"""`sixkit provision`: makes the keys, certificates and configuration of a site, or adds to them."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from .command import GOOD
from .locale import language, say
from .site_words import BROKER_DEFAULT, PORT_DEFAULT, TERMINAL_KINDS

if TYPE_CHECKING:
    from .site_folder import Site


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.description = say(
        "Makes a site: the centre's keys, a private certificate authority, the broker's configuration, a gateway "
        "and its terminals. Run it again to add a gateway or terminals: what exists is never overwritten.",
        "生成站点：中心密钥、私有 CA、消息服务器配置、网关及其终端。再次运行可添加网关或终端：已有内容绝不覆盖。",
    )
    parser.add_argument("site", type=Path, metavar="SITE", help=say("the site's folder", "站点文件夹"))
    parser.add_argument("--gateway", default="gw-1", metavar="ID", help=say("default gw-1", "默认 gw-1"))
    parser.add_argument(
        "--broker",
        metavar="HOST:PORT",
        help=say(
            f"where gateways and centre reach the broker; default {BROKER_DEFAULT}",
            f"网关与中心访问消息服务器的地址；默认 {BROKER_DEFAULT}",
        ),
    )
    parser.add_argument(
        "--home",
        default="",
        metavar="TEXT",
        help=say("the home's address, kept at the centre only", "家庭地址，仅保存在中心"),
    )
    parser.add_argument(
        "--port",
        default=PORT_DEFAULT,
        metavar="PATH",
        help=say(f"the terminals' serial port; default {PORT_DEFAULT}", f"终端所在串口；默认 {PORT_DEFAULT}"),
    )
    parser.add_argument(
        "--terminal",
        nargs="+",
        action="extend",
        default=[],
        metavar="KIND:ROOM",
        help=say(
            f"a terminal there shall be, such as smoke:kitchen; kinds: {', '.join(TERMINAL_KINDS)}",
            f"应有的终端，如 smoke:厨房；类型：{', '.join(TERMINAL_KINDS)}",
        ),
    )
    parser.add_argument(
        "--simulation",
        action="store_true",
        help=say("allow a faster clock and other means of simulation", "允许加速时钟等模拟手段"),
    )
    parser.add_argument("--json", action="store_true", help=say("report as one JSON object", "以 JSON 输出"))


def run(args: argparse.Namespace) -> int:
    """Makes the site and says what was made and what to run next; raises Told."""
    from .site_folder import make_site  # loads `cryptography`, which `--help` does not need

    site = make_site(
        args.site,
        args.gateway,
        broker=args.broker,
        home=args.home,
        port=args.port,
        terminals=args.terminal,
        simulation=args.simulation,
        language=language(),
    )
    print(json.dumps(_as_json(site), ensure_ascii=False) if args.json else _as_text(site))
    return GOOD


def next_commands(site: Site) -> list[str]:
    """What to type next, for a shell."""
    folder = shlex.quote(str(site.folder))
    commands = [
        f"(cd {folder}/broker && nats-server -c nats.conf)",
        f"sixkit dispatch --config {folder}/centre/dispatch.toml",
        f"sixkit run --config {folder}/gateways/{site.gateway}/gateway.toml",
    ]
    if site.broker_changed:
        commands[0] = f"nats-server --signal reload={folder}/broker/nats-server.pid"
    return commands


def _as_json(site: Site) -> dict[str, object]:
    return {
        "site": str(site.folder),
        "gateway": site.gateway,
        "broker": site.broker,
        "made": site.made,
        "terminals": [{"id": t.id, "kind": t.kind, "room": t.room, "address": t.address} for t in site.terminals],
        "added": site.added,
        "kept": site.kept,
        "next": next_commands(site),
    }


def _as_text(site: Site) -> str:
    lines = [say(f"Site {site.folder}, broker {site.broker}", f"站点 {site.folder}，消息服务器 {site.broker}")]
    lines += [say("Made:", "已生成：") if site.made else say("Everything was there already.", "全部已存在，无需生成。")]
    lines += [f"  {name}" for name in site.made]
    lines += [
        say(f"Kept as it was, edit it by hand: {kept}", f"保持原样，如需更改请手工编辑：{kept}") for kept in site.kept
    ]
    lines += [say(f"Terminals of {site.gateway}:", f"{site.gateway} 的终端：")]
    lines += [_terminal_line(site, index) for index in range(len(site.terminals))] or [
        say("  none yet; add one with --terminal smoke:kitchen", "  尚无；用 --terminal smoke:厨房 添加")
    ]
    lines += [
        say(
            "The private keys are readable by you alone. Next, each in a terminal of its own:",
            "私钥仅您本人可读。接下来，各在一个终端窗口中运行：",
        )
    ]
    return "\n".join(lines + [f"  {command}" for command in next_commands(site)])


def _terminal_line(site: Site, index: int) -> str:
    terminal = site.terminals[index]
    new = say("  (new)", "  （新）") if terminal.id in site.added else ""
    return f"  {terminal.id:14} {terminal.room:16} {terminal.address}{new}"
