"""A thief with a gateway's own connection but not its signing key, who sends alarms of his own making."""

from __future__ import annotations

import secrets
import ssl
from pathlib import Path
from typing import Final

import paho.mqtt.client as mqtt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from paho.mqtt.enums import CallbackAPIVersion

from protocol import envelope, topic
from protocol.record import Event, EventId, Source, Stamp
from protocol.words import Unavailable

SENT_S_MAX: Final = 10.0  # for the connection, and for the broker to take the messages


def forge(folder: Path, gateway: str, broker: tuple[str, int], count: int, wall_ms: int) -> None:
    """Sends `count` smoke alarms through the connection of the gateway whose folder this is, signed by a key that
    nobody knows under the gateway's name. Raises Unavailable where the broker does not take them."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=secrets.token_hex(8), protocol=mqtt.MQTTv311)
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    context.load_cert_chain(folder / "uplink.pem", folder / "uplink.key")
    client.tls_set_context(context)
    key = _foreign_key(gateway)
    try:
        client.connect(*broker)
        client.loop_start()
        for number in range(count):
            payload = envelope.seal(alarm(gateway, number, wall_ms), key, topic.context(topic.ALARM))
            client.publish(topic.build(gateway, topic.ALARM), payload, qos=1).wait_for_publish(SENT_S_MAX)
    except (OSError, ValueError, RuntimeError) as error:
        raise Unavailable(f"the forger cannot send: {error}", f"伪造者无法发送：{error}") from error
    finally:
        client.disconnect()
        client.loop_stop()


def _foreign_key(gateway: str) -> envelope.SigningKey:
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return envelope.signing_key(pem, gateway.encode())


def alarm(gateway: str, number: int, wall_ms: int) -> bytes:
    """The record of a smoke alarm that nobody raised."""
    event_id = EventId(2**40 + number, 1)  # an epoch that no gateway reaches by counting
    return Event(
        gateway=gateway,
        id=event_id,
        alarm=event_id,
        kind="smoke",
        phase="raised",
        severity="life",
        link="held",
        terminal="smoke-1",
        room="kitchen",
        time=Stamp(wall_ms, 1, 1, "synchronised"),
        source=Source(1, number + 1),
    ).to_record()
