"""The configuration files of a site's centre and gateways, as commented TOML text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

_GATEWAY: Final = """\
# The gateway {gateway}. Paths are relative to this folder. Start it with: sixkit run --config gateway.toml
# 网关 {gateway} 的配置。路径相对于本文件夹。启动：sixkit run --config gateway.toml
# This folder holds private keys: copy it to the gateway over a safe way, and delete it elsewhere.
# 本文件夹含私钥：请以安全方式复制到网关，并删除其他副本。

# Its name on every wire; the broker and the centre know it by this name.
# 网关编号；消息服务器与中心都以此识别。
gateway = "{gateway}"

# Of what the resident is told: "zh" or "en".
# 对住户提示所用的语言："zh" 或 "en"。
language = "{language}"

# true allows --clock-rate and other means of simulation. Never in a real home.
# true 允许 --clock-rate 等模拟手段。真实家庭中切勿开启。
simulation = {simulation}

# Where events wait on disk until the centre has receipted them.
# 事件在此落盘，直到中心回执。
data = "data"

# What this gateway signs with, and what the centre's receipts are checked with.
# 本网关的签名私钥；校验中心回执的公钥。
identity = "identity.key"
centre = "centre.pub"

# The terminals that are known here, with their keys.
# 本网关已登记的终端及其密钥。
terminals = "terminals.toml"

# A sign of life to the centre, in seconds (5 to 3600); the centre raises "gateway lost" after 90 s of silence.
# 心跳间隔，秒（5 至 3600）；中心 90 秒收不到即报“网关失联”。
heartbeat_s = 30

# The way to the centre. Several brokers are tried in turn: ["a.example:8883", "b.example:8883"].
# 到中心的通道。可列多个消息服务器，依次尝试。
# One to another centre names its key: centre = "other.pem". The first uplink's centre is the one that sends help.
# 通往另一中心的通道须写明其公钥：centre = "other.pem"。第一个通道的中心负责派人救助。
[[uplink]]
kind = "mqtt"
brokers = [{brokers}]
ca = "ca.pem"
certificate = "uplink.pem"
key = "uplink.key"

# The serial port that the terminals are on; /dev/serial/by-id/... keeps its name when it is plugged in elsewhere.
# 终端所在的串口；/dev/serial/by-id/... 换插口后名称不变。
[[bridge]]
id = "native"
kind = "native"
port = {port}
baud = 115200

# A BeiDou bracelet has a port of its own; it is entered in terminals.toml, where it may have a fence.
# 北斗手环单独占用一个串口；在 terminals.toml 中登记，可设电子围栏。
# [[bridge]]
# id = "bracelet"
# kind = "bracelet"
# port = "/dev/ttyUSB1"

# "log" writes to the journal only. "command" also runs one: command = ["/usr/local/bin/siren", "{{state}}"]
# "log" 仅写日志；"command" 另外运行命令：command = ["/usr/local/bin/siren", "{{state}}"]
[siren]
driver = "log"

# A short sound for each change of a call, at once, before anything is spoken: command = ["chime", "{{message}}"]
# 呼救状态每次变化时的提示音，立即响起，先于语音。
[chime]
driver = "log"

# How the resident is told. With "command": {{message}} {{kind}} {{terminal}} {{text}} are filled in.
# 如何告知住户。使用 "command" 时，{{message}} {{kind}} {{terminal}} {{text}} 会被替换。
# For speech, for instance: command = ["espeak-ng", "-v", "en", "{{text}}"]
# 例如语音播报：command = ["espeak-ng", "-v", "cmn", "{{text}}"]
[resident]
driver = "log"

# What tells of mains and backup battery: "none"; "sysfs", the kernel's power supplies; "gpio", the value file of an
# input line, path = "/sys/class/gpio/gpio6/value", 1 for mains lost (0 with active_low = true), and backup = "..."
# likewise for a low backup; "file", a line such as "mains 100" or "lost 80" that something else writes.
# A loss that lasts debounce_s seconds (0 to 90; default 2) is an alarm; a backup below low_pct percent (20) is low.
# 市电与备用电池的状态来源："none" 无；"sysfs" 内核电源类；"gpio" 输入线的 value 文件，1 表示市电中断（active_low = true
# 时为 0），backup 为备用电池电量低的线；"file" 由其他程序写入的一行，如 "mains 100" 或 "lost 80"。
# 中断持续 debounce_s 秒（0 至 90，默认 2）即报警；备用电池低于 low_pct（默认 20）% 即报电量低。
[power]
driver = "none"

# With a motion sensor: how long nobody may be seen before the resident is asked, and then the centre called. Seconds by
# day (600 to 172800), at any time; to answer by a press; after a door was shut until nobody is taken to be at home.
# 有活动传感器时：多久无人活动即先询问住户，再呼叫中心。依次为：白天秒数、任何时间的秒数、
# 按键应答的时限、关门后多久视为无人在家。
# [stillness]
# day_s = 14400
# night_s = 36000
# answer_s = 180
# away_s = 600
# night = ["22:00", "07:00"]
# utc_offset_min = 480

# Where `sixkit status` asks.
# `sixkit status` 由此查询。
[status]
socket = "data/status.sock"
"""

_DISPATCH: Final = """\
# The dispatch centre's receiving end. Paths are relative to this folder. Start: sixkit dispatch --config dispatch.toml
# 调度中心接收端的配置。路径相对于本文件夹。启动：sixkit dispatch --config dispatch.toml

# The broker, and how the centre shows who it is.
# 消息服务器，以及中心的身份证书。
broker = {broker}
ca = "ca.pem"
certificate = "dispatch.pem"
key = "dispatch.key"

# What receipts are signed with. Guard it: who has it can make gateways forget alarms.
# 回执签名私钥。务必妥善保管：持有者可使网关丢弃报警。
identity = "centre.key"

# The gateways that are known, with their public keys; read again when it changes.
# 已登记的网关及其公钥；文件变化后自动重新读取。
gateways = "gateways.toml"

# Every event that was ever committed.
# 所有已提交的事件。
database = "data/centre.db"

# The board and its interface. Keep it on loopback, or behind a proxy that knows who asks.
# 看板与接口。请仅监听本机，或置于有身份验证的代理之后。
http = "127.0.0.1:8600"

# true allows --clock-rate and other means of simulation. Never at a real centre.
# true 允许 --clock-rate 等模拟手段。真实中心切勿开启。
simulation = {simulation}
"""

GATEWAYS_HEAD: Final = """\
# The gateways that this centre believes, each by its public key. Removing one here, and running
# `sixkit provision` for another, takes away its place at the broker too.
# 中心信任的网关及其公钥。删除一项后再运行 `sixkit provision`，其在消息服务器上的权限也随之取消。
#
# Where a home is, for the board's sketch of a bracelet: in degrees of WGS-84; fence_m as at the gateway, or left out.
# 住户位置，供看板画手环位置草图：WGS-84 坐标；fence_m 与网关的围栏半径一致，可省略。
# place = { latitude = 39.999, longitude = 116.385, fence_m = 100 }
"""

TERMINALS_HEAD: Final = """\
# The terminals of this gateway. Each key is shared with one terminal only: keep this file as private as a key.
# 本网关的终端。每个密钥只与一个终端共享：请像私钥一样保管本文件。
#
# installed = "2026-03-01" tells since when one is there: a smoke alarm serves for ten years, a gas alarm for five.
# installed = "2026-03-01" 表示安装日期：感烟探测器使用十年，燃气探测器五年，到期提示更换。
#
# A bracelet has no key. Its fence is in degrees of WGS-84, as receivers say them; maps of China are some 500 m off.
# 手环没有密钥。围栏坐标为 WGS-84（接收机原始坐标）；国内地图采用的 GCJ-02 与之相差约 500 米。
# [[terminal]]
# id = "bracelet-1"
# kind = "bracelet"
# bridge = "bracelet"
# fence = { latitude = 39.999, longitude = 116.385, radius_m = 200 }
"""


def gateway_toml(gateway: str, language: str, simulation: bool, brokers: Sequence[str], port: str) -> str:
    """gateway.toml of one gateway."""
    return _GATEWAY.format(
        gateway=gateway,
        language=language,
        simulation=_flag(simulation),
        brokers=", ".join(_text(broker) for broker in brokers),
        port=_text(port),
    )


def dispatch_toml(broker: str, simulation: bool) -> str:
    """dispatch.toml of the centre."""
    return _DISPATCH.format(broker=_text(broker), simulation=_flag(simulation))


def gateways_row(gateway: str, key: str, home: str) -> str:
    """What gateways.toml says of one gateway; `key` is the base64 of its 32-byte public key."""
    return f"\n[gateway.{gateway}]\nkey = {_text(key)}\nhome = {_text(home)}\n"


def terminals_row(terminal: str, kind: str, room: str, address: int, key: bytes) -> str:
    """What terminals.toml says of one terminal."""
    return (
        f'\n[[terminal]]\nid = "{terminal}"\nkind = "{kind}"\nroom = {_text(room)}\n'
        f'bridge = "native"\naddress = {address}\nkey = "{key.hex()}"\n'
    )


def _text(value: str) -> str:
    # For printable text, which is all that gets here, JSON's form of a string is TOML's too.
    return json.dumps(value, ensure_ascii=False)


def _flag(value: bool) -> str:
    return "true" if value else "false"
