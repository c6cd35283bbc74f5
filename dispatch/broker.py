"""The centre's end of MQTT: one TLS connection to a broker, made again for ever, messages in and receipts out."""

from __future__ import annotations

import random
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from protocol.topic import UP_FILTER
from protocol.words import Told

KEEPALIVE_S: Final = 8  # a ping after 8 s of silence, given up after 8 more: half-open is found within 20 s
CONNECT_S_MAX: Final = 5.0  # for TCP, and again for TLS
SUBSCRIBED_S_MAX: Final = 10.0  # from TLS to the granted subscription
BACK_OFF_S: Final = 0.5
BACK_OFF_S_MAX: Final = 2.0  # alarms wait meanwhile, and a broker has one centre: no herd to spread
RECEIPTS_QUEUED_MAX: Final = 2000  # unacknowledged by the broker; one that is dropped is asked for again
MESSAGE_BYTES_MAX: Final = 8192  # an envelope is below 1 kB; what is longer is cut so far that it cannot verify
_TURN_S: Final = 0.5  # how soon a close is noticed


def tls(ca: Path, certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS that trusts `ca` alone, checks the broker's name and shows `certificate`. Raises Told."""
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise Told(f"{ca}: not a usable CA certificate: {error}", f"{ca}：CA 证书不可用：{error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, password=lambda: "")  # never asks on the terminal
    except (OSError, ssl.SSLError, ValueError) as error:
        raise Told(
            f"{certificate} with {key}: not a usable certificate and key: {error}",
            f"{certificate} 与 {key}：证书或密钥不可用：{error}",
        ) from error
    return context


class Broker(threading.Thread):
    """The thread that keeps one of several brokers connected, in turn, with back-off and jitter.

    `received(topic, payload)` and `changed(up, detail)` are called on this thread and must not block or raise.
    Each connection has a client of its own, with a clean session and a random id: a client that reconnects may
    publish twice, and one with a fixed id can be evicted by whoever takes the id.
    """

    def __init__(
        self,
        brokers: Sequence[tuple[str, int]],
        context: Callable[[], ssl.SSLContext],
        received: Callable[[str, bytes], None],
        changed: Callable[[bool, str], None],
    ):
        super().__init__(name="broker", daemon=True)
        self._brokers = brokers
        self._context = context
        self._received = received
        self._changed = changed
        self._client: mqtt.Client | None = None  # while subscribed
        self._closing = threading.Event()

    def publish(self, topic: str, payload: bytes) -> bool:
        """Whether the message was taken; False when there is no connection or too many wait on it. Any thread."""
        client = self._client
        return client is not None and client.publish(topic, payload, qos=1).rc == mqtt.MQTT_ERR_SUCCESS

    def close(self) -> None:
        """Disconnect and end; joins the thread."""
        self._closing.set()
        self.join(CONNECT_S_MAX * 2)

    def run(self) -> None:
        failures = 0
        while not self._closing.is_set():
            host, port = self._brokers[failures % len(self._brokers)]
            failures = 0 if self._connection(host, port) else failures + 1
            most = min(BACK_OFF_S_MAX, BACK_OFF_S * 2 ** min(failures, 10))
            self._closing.wait(random.uniform(BACK_OFF_S / 2, most))

    def _connection(self, host: str, port: int) -> bool:
        """One connection from its beginning to its end; whether it ever got as far as being subscribed."""
        link = _Link(self._received)
        try:
            link.connect(self._context(), host, port)
            detail = self._subscribed_until_lost(link, f"{host}:{port}")
        except Exception as error:  # noqa: BLE001  TLS, DNS, paho and a malformed packet raise many kinds: try again
            detail = str(error) or type(error).__name__
        finally:
            self._client = None
            link.close()
        if not self._closing.is_set():
            self._changed(False, f"{host}:{port}: {detail}")
        return link.subscribed

    def _subscribed_until_lost(self, link: _Link, name: str) -> str:
        deadline = time.monotonic() + SUBSCRIBED_S_MAX
        while not self._closing.is_set() and not link.refusal:
            link.turn()
            if link.subscribed and self._client is None:
                self._client = link.client
                self._changed(True, name)
            elif not link.subscribed and time.monotonic() > deadline:
                return f"no subscription within {SUBSCRIBED_S_MAX:.0f} s"
        return link.refusal


class _Link:
    """One MQTT connection, turned by hand: an exception in paho then ends a connection and not a thread unseen."""

    def __init__(self, received: Callable[[str, bytes], None]):
        self.subscribed = False
        self.refusal = ""  # why it is of no use any more
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"dispatch-{secrets.token_hex(8)}",
            clean_session=True,
            protocol=mqtt.MQTTv311,
            reconnect_on_failure=False,
        )
        self._received = received
        self.client.connect_timeout = CONNECT_S_MAX
        self.client.max_queued_messages_set(RECEIPTS_QUEUED_MAX)
        self.client.on_socket_open = _without_delay
        self._hook(self._on_connect, self._on_subscribe, self._on_disconnect, self._on_message, _nothing)

    def _hook(self, connect: Any, subscribe: Any, disconnect: Any, message: Any, register_write: Any) -> None:
        self.client.on_connect = connect
        self.client.on_subscribe = subscribe
        self.client.on_disconnect = disconnect
        self.client.on_message = message
        # With this one a publish only wakes the turning thread. Without it, it would write to the TLS socket from its
        # own thread at the same time.
        self.client.on_socket_register_write = register_write

    def connect(self, context: ssl.SSLContext, host: str, port: int) -> None:
        self.client.tls_set_context(context)
        self.client.connect(host, port, keepalive=KEEPALIVE_S)

    def turn(self) -> None:
        """Read, write and ping for at most half a second. Raises OSError when the connection is lost."""
        rc = self.client.loop(_TURN_S)
        if rc != mqtt.MQTT_ERR_SUCCESS and not self.refusal:
            raise OSError(mqtt.error_string(rc))

    def close(self) -> None:
        """Say goodbye if it can be said; never raises."""
        try:
            self.client.disconnect()
            self.client.loop(_TURN_S)
        except Exception:  # noqa: BLE001  it is gone either way
            pass
        self._hook(None, None, None, None, None)  # else client and link keep each other, and the client its sockets

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self.refusal = f"refused: {reason}"
        else:
            client.subscribe(UP_FILTER, qos=1)

    def _on_subscribe(self, _client: Any, _data: Any, _mid: int, reasons: list[Any], _properties: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            self.refusal = f"the broker does not let us subscribe to {UP_FILTER}"
        else:
            self.subscribed = True

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self.refusal = self.refusal or f"disconnected: {reason}"

    def _on_message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""  # no topic of ours: refused and counted like any other
        self._received(topic, bytes(message.payload[:MESSAGE_BYTES_MAX]))


def _without_delay(_client: mqtt.Client, _data: Any, sock: Any) -> None:
    """A receipt behind another small write must not wait 40 ms for the other side's delayed acknowledgement."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _nothing(_client: Any, _data: Any, _socket: Any) -> None:
    pass
