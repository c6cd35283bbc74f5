"""A site's broker configuration: NATS, or mosquitto in its place; both let in client certificates only."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final

# An envelope is below 3 kB; nothing that we send comes near this.
PAYLOAD_BYTES_MAX: Final = 8192
# A small centre's gateways, several times over, each with an old connection that has not timed out.
CONNECTIONS_MAX: Final = 4096
# Alarms wait here while the centre is down: at 1 kB each, a million. The gateways keep them too.
STORE_GB_MAX: Final = 1
# Sessions and retained messages that NATS keeps in memory.
STORE_MEMORY_MB_MAX: Final = 64

PERMISSIONS_FILE: Final = "users.conf"
PID_FILE: Final = "nats-server.pid"
DISPATCH: Final = "dispatch"

_NATS: Final = """\
# The broker of this site. Start it in this folder, since the paths are relative to it:
#     nats-server -c nats.conf
# 本站点的消息服务器。请在本文件夹内启动，因为路径均相对于本文件夹。
# `sixkit provision` never changes this file again; who may do what is in {permissions}, which it rewrites.
# `sixkit provision` 不会再修改本文件；权限在 {permissions} 中，由它重写。

server_name: "sixkit-broker"
pid_file: "{pid}"
include "{permissions}"

# NATS's own protocol cannot be switched off: on loopback, at a port of the system's choosing, and nobody is let in.
# NATS 自身协议无法关闭：仅监听本机随机端口，且不接受任何用户。
host: "127.0.0.1"
port: -1
tls {{
    cert_file: "broker.pem"
    key_file: "broker.key"
    ca_file: "ca.pem"
    verify_and_map: true
    min_version: "1.2"
}}
max_payload: {payload}
max_connections: {connections}

# A message is on the disk before it is acknowledged (the default syncs every two minutes).
# 消息先落盘再确认（默认两分钟才同步一次）。
jetstream {{
    store_dir: "."  # it makes the folder jetstream there
    sync_interval: always
    max_file_store: {store}GB
    max_memory_store: {memory}MB
}}

mqtt {{
    host: {host}
    port: {port}
    reject_qos2_publish: true
    # Every client shows a certificate of this site's own authority; its subject is who it is.
    # 每个客户端须出示本站点 CA 签发的证书，证书主题即其身份。
    tls {{
        cert_file: "broker.pem"
        key_file: "broker.key"
        ca_file: "ca.pem"
        verify_and_map: true
        min_version: "1.2"
        timeout: 10
    }}
}}
"""

_NATS_USERS_HEAD: Final = """\
# Who may do what. Written by `sixkit provision` from centre/gateways.toml: changes made here are lost.
# 权限表，由 `sixkit provision` 依据 centre/gateways.toml 生成：在此处的修改会丢失。
# A running broker reads it again on: nats-server --signal reload={pid}
# $MQTT.sub.> is what NATS itself delivers QoS 1 messages through; a client cannot subscribe to it.
authorization {{
    users: [
"""

_NATS_USER: Final = """\
        {{
            user: "CN={name}"
            allowed_connection_types: ["MQTT"]
            permissions: {{
                publish: {{ allow: ["{publish}"] }}
                subscribe: {{ allow: ["{subscribe}", "$MQTT.sub.>"] }}
            }}
        }}
"""

_MOSQUITTO: Final = """\
# The same site on mosquitto, in place of NATS. Start it in this folder:
#     mosquitto -c mosquitto.conf
# 以 mosquitto 代替 NATS。请在本文件夹内启动。

listener {port} {host}
require_certificate true
use_identity_as_username true
allow_anonymous false
certfile broker.pem
keyfile broker.key
cafile ca.pem
tls_version tlsv1.2
acl_file acl
{user}
# mosquitto 2 has no store that syncs each message; this is the nearest: written after every change, within a second.
# mosquitto 2 无法逐条同步落盘；以下设置最接近：每次变化后一秒内写盘。
persistence true
persistence_location mosquitto
autosave_on_changes true
autosave_interval 1

# No limit on what waits for the centre: its default of 1000 would drop alarms silently.
# 不限制等待中心的消息数：默认 1000 条会悄悄丢弃报警。
max_queued_messages 0
max_packet_size {payload}
max_connections {connections}
"""

_ACL: Final = """\
# A gateway (the name in its certificate) may publish its own messages and read its own receipts; the centre the rest.
# 网关（证书中的名称）只能发布自己的消息、读取自己的回执；其余归中心。
pattern write sixkit/1/%u/up/+
pattern read sixkit/1/%u/down/+

user {dispatch}
topic read sixkit/1/+/up/+
topic write sixkit/1/+/down/+
"""


def _listens_on(host: str) -> str:
    """The address to listen on for a broker that others know as `host`: an address or localhost is meant as it is; a
    name may be a router's, so it is all addresses of this machine (who may do what is settled by certificates)."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host if host == "localhost" else "0.0.0.0"
    return host


def nats_conf(host: str, port: int) -> str:
    """nats.conf: MQTT over TLS for those who know this machine as `host`, at `port`; every message synced."""
    return _NATS.format(
        permissions=PERMISSIONS_FILE,
        pid=PID_FILE,
        payload=PAYLOAD_BYTES_MAX,
        connections=CONNECTIONS_MAX,
        store=STORE_GB_MAX,
        memory=STORE_MEMORY_MB_MAX,
        host=f'"{_listens_on(host)}"',
        port=port,
    )


def nats_users(gateways: Iterable[str]) -> str:
    """The permissions that nats.conf includes: each gateway its own topics, the centre all of them."""
    users = [_NATS_USER.format(name=DISPATCH, publish="sixkit.1.*.down.*", subscribe="sixkit.1.*.up.*")]
    for name in sorted(gateways):
        users.append(_NATS_USER.format(name=name, publish=f"sixkit.1.{name}.up.*", subscribe=f"sixkit.1.{name}.down.*"))
    return _NATS_USERS_HEAD.format(pid=PID_FILE) + "".join(users) + "    ]\n}\n"


def mosquitto_conf(host: str, port: int, user: str | None) -> str:
    """mosquitto.conf; `user` is who it becomes when root starts it, so that it can read this folder."""
    line = f"\n# Who it becomes when root starts it: the owner of this folder.\nuser {user}\n" if user else ""
    return _MOSQUITTO.format(
        host=_listens_on(host), port=port, user=line, payload=PAYLOAD_BYTES_MAX, connections=CONNECTIONS_MAX
    )


def mosquitto_acl() -> str:
    """The permissions of mosquitto.conf; they hold for any number of gateways."""
    return _ACL.format(dispatch=DISPATCH)
