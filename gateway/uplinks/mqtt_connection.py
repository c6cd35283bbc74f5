"""One MQTT 3.1.1 connection over a TLS socket, for its lifetime: a paho client that is thrown away with it.

paho would queue what is published offline and repeat it on the next connection; thrown away, it cannot.
"""

from __future__ import annotations

import os
import select
import ssl
import time
from collections.abc import Callable
from typing import Any, Final

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from protocol import topic
from protocol.words import Told

TICK_MS: Final = 1000  # how often keep-alive is looked at
SIGN_IN_S_MAX: Final = 5.0  # from TLS to the granted subscription
WINDOW: Final = 16  # messages without PUBACK at once; paho itself holds back from 20 on
PAYLOAD_BYTES_MAX: Final = 4096  # an envelope is below 3 kB; the broker takes 8 kB
PACKET_BYTES_MAX: Final = PAYLOAD_BYTES_MAX + 256  # with its topic and header
# A heartbeat that the broker keeps for later would say what is not so.
_QOS: Final = {topic.ALARM: 1, topic.HEARTBEAT: 0}


class Connection:
    """A client on `tls`, within a `with`; `received(tail, payload)` and `acknowledged()` are called from within `turn`;
    the tail is that of a topic of ours, empty for any other.

    Every method raises Told where the connection is lost or refused, with the reason.
    """

    def __init__(
        self,
        tls: ssl.SSLSocket,
        gateway: str,
        client_id: str,
        keepalive_s: int,
        received: Callable[[str, bytes], None],
        acknowledged: Callable[[], None],
    ):
        self._gateway = gateway
        self._keepalive_s = keepalive_s
        self._received = received
        self._acknowledged = acknowledged
        self._lost: Told | None = None
        self.granted = False  # signed in and subscribed: what is published counts
        self._tls = tls
        self._sign_in_by = 0.0
        self._client = _Client(CallbackAPIVersion.VERSION2, client_id, True, protocol=MQTTProtocolVersion.MQTTv311)
        self._client.tls = tls
        self._client.max_inflight_messages_set(WINDOW)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message
        self._client.on_disconnect = self._on_disconnect

    def __enter__(self) -> Connection:
        """Says who we are and asks for what comes down; `granted` once the broker has agreed to both."""
        self._sign_in_by = time.monotonic() + SIGN_IN_S_MAX
        self._client.connect("broker", keepalive=self._keepalive_s)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()  # a goodbye, where there is still somebody to hear it
        self._tls.close()

    def publish(self, tail: str, payload: bytes) -> None:
        """Sends `payload` to the topic that ends in `tail`."""
        self._client.publish(topic.build(self._gateway, tail), payload, _QOS[tail])
        self._check()

    def turn(self, wake: int) -> None:
        """Waits for the broker, for something written to the eventfd `wake`, or for a tick, and does what is due."""
        self._check()
        poller = select.poll()
        poller.register(self._tls, select.POLLIN | (select.POLLOUT if self._client.want_write() else 0))
        poller.register(wake, select.POLLIN)
        # What OpenSSL has read already, poll does not know of.
        ready = dict(poller.poll(0 if self._tls.pending() else TICK_MS))
        if wake in ready:
            os.eventfd_read(wake)
        if self._tls.pending() or ready.get(self._tls.fileno(), 0) & ~select.POLLOUT:
            self._client.loop_read()
        if self._client.want_write():
            self._client.loop_write()
        self._client.loop_misc()
        self._check()

    def _check(self) -> None:
        if self._lost is not None:
            raise self._lost
        if not self.granted and time.monotonic() > self._sign_in_by:
            raise Told("the broker does not answer the sign-in", "消息服务器对登录无应答")
        # paho itself would store any packet, and any number of half-received QoS 2 messages.
        if self._client._in_packet["remaining_length"] > PACKET_BYTES_MAX or self._client._in_messages:
            raise Told("the broker sends what nobody asked for", "消息服务器发来非预期数据")

    def _on_connect(
        self, _client: Client, _data: Any, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._lose(
                f"the broker refuses this gateway ({reason}): does its list of gateways have it?",
                f"消息服务器拒绝本网关（{reason}）：其网关列表中是否有本网关？",
            )
        else:
            self._client.subscribe(topic.down_filter(self._gateway), qos=1)

    def _on_subscribe(
        self, _client: Client, _data: Any, _mid: int, reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        if not reasons or any(reason.is_failure for reason in reasons):
            self._lose("the broker does not let this gateway read its receipts", "消息服务器不允许本网关读取回执")
        self.granted = True

    def _on_publish(self, _client: Client, _data: Any, _mid: int, _reason: ReasonCode, _properties: Properties) -> None:
        self._acknowledged()

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        place = topic.parse(message.topic)
        self._received(place.leaf if place and place.gateway == self._gateway else "", bytes(message.payload))

    def _on_disconnect(
        self, _client: Client, _data: Any, _flags: DisconnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.getName() == "Keep alive timeout":
            self._lose("no sign of life from the broker", "消息服务器无响应")
        elif self.granted:
            self._lose("the connection was closed", "连接已断开")
        else:
            self._lose(
                "closed at the sign-in: is our certificate of the same site as the broker?",
                "登录时连接被关闭：本机证书与消息服务器是否属于同一站点？",
            )

    def _lose(self, en: str, zh: str) -> None:
        if self._lost is None:  # the first reason is the cause
            self._lost = Told(en, zh)


class _Client(Client):
    """paho on a socket that is connected already: its own way leaks the socket when the handshake fails."""

    tls: ssl.SSLSocket

    def _create_socket(self) -> ssl.SSLSocket:
        return self.tls
