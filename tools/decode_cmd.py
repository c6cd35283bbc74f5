"""`sixkit decode`: what a frame of the serial link, a record or an envelope says."""

from __future__ import annotations

import argparse
import base64
import binascii
import json
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Final

from protocol.record import EventId
from protocol.wire import codes, frame, messages
from protocol.words import Told, Unavailable

from .command import GOOD, NOT_SO
from .locale import say

INPUT_BYTES_MAX: Final = 1 << 20

# What the frames of the serial link are called and hold, by type.
FRAMES: Final = {
    messages.HELLO: ("hello", ("nonce", *messages.Hello._fields[1:])),
    messages.WELCOME: ("welcome", ("nonce", "heartbeat_s")),
    messages.EVENT: ("event", messages.Event._fields[1:]),
    messages.HEARTBEAT: ("heartbeat", messages.Heartbeat._fields[1:]),
    messages.ACK: ("ack", ("of", "number")),
    messages.ASK: ("ask", ("tag",)),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.description = say(
        "Show what a serial frame, a CBOR record or a signed envelope says. Exit code 0: it is one; 1: it is none, "
        "or its signature is not of the given key.",
        "解析串口帧、CBOR 记录或签名信封。退出码 0：可解析；1：不可解析或签名与密钥不符。",
    )
    parser.epilog = (
        say("examples:", "示例：")
        + """
  sixkit decode d28446a2...
  sixkit decode --file envelope.bin --key gateways/gw-1/identity.pub --json"""
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "data",
        nargs="?",
        help=say("hexadecimal or base64; `-` reads standard input", "十六进制或 base64；`-` 为标准输入"),
    )
    parser.add_argument("--file", type=Path, help=say("a file of raw bytes", "原始字节文件"))
    parser.add_argument(
        "--key", type=Path, help=say("public key (PEM) to check the signature with", "用于验签的公钥（PEM）")
    )
    parser.add_argument("--json", action="store_true", help=say("as one JSON object", "以一个 JSON 对象输出"))


def run(args: argparse.Namespace) -> int:
    try:
        key = args.key.read_bytes() if args.key else None
        data = args.file.read_bytes() if args.file else _typed(args.data)
    except OSError as error:
        raise Unavailable(
            f"{error.filename}: cannot be read: {error.strerror}", f"{error.filename}：无法读取（{error.strerror}）"
        ) from error
    found = describe(data, key)
    if args.json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        for name, value in found.items():
            print(f"{name:<10} {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")
    return NOT_SO if "error" in found else GOOD


def describe(data: bytes, key: bytes | None) -> dict[str, Any]:
    """What `data` is and says, JSON-able; with "error" where it is nothing of ours or its signature does not fit `key`,
    a public key in PEM."""
    from protocol import record

    if data[:1] == b"\xd2":  # tag 18: COSE_Sign1
        return _envelope(data, key)
    try:
        return {"what": "record", "record": _shown(record.decode(data))}
    except record.RecordError as error:
        frames = _frames(data)
        return {"what": "frames", "frames": frames} if frames else {"what": "unknown", "error": str(error)}


def _envelope(data: bytes, key: bytes | None) -> dict[str, Any]:
    import cbor2

    from protocol import record

    try:
        protected, _, payload, _ = cbor2.loads(data).value
        kid: bytes = cbor2.loads(protected)[4]
        found = {"what": "envelope", "kid": kid.decode(errors="replace"), "record": _shown(record.decode(payload))}
    except Exception as error:  # noqa: BLE001 - any bytes may be given, and cbor2 raises many kinds
        return {"what": "envelope", "error": f"not an envelope of ours: {error}"}
    if key is None:
        return {**found, "signature": "not checked: give --key"}
    return {**found, **_signature(data, kid, key)}


def _signature(data: bytes, kid: bytes, key: bytes) -> dict[str, str]:
    from protocol import envelope, topic

    try:
        keys = {kid: envelope.verifying_key(key, kid)}
    except ValueError as error:
        raise Told(f"--key: {error}", f"--key：不是 Ed25519 公钥（{error}）") from error
    reason = ""
    for leaf in topic.UP + topic.DOWN:
        try:
            envelope.open(data, keys, topic.context(leaf))
            return {"signature": "good", "signed_for": leaf}
        except envelope.EnvelopeError as error:
            reason = error.reason
    return {"signature": "bad", "error": reason}


def _frames(data: bytes) -> list[dict[str, Any]]:
    found = []
    for raw in frame.Deframer(Counter()).feed(data + b"\0"):
        if message := messages.parse(raw):
            name, field_names = FRAMES[message.type]
            values = dict(zip(field_names, message.fields, strict=True))
            found.append({"type": name, "address": message.address, "counter": message.counter, **_named(values)})
    return found


def _named(values: dict[str, Any]) -> dict[str, Any]:
    """Codes as words, bytes as hexadecimal."""
    for name, words in (("kind", codes.KINDS), ("phase", codes.PHASES)):
        if name in values and values[name] < len(words):
            values[name] = words[values[name]]
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in values.items()}


def _shown(item: Any) -> Any:
    """As JSON would have it: dataclasses and named tuples as objects, bytes as hexadecimal."""
    if is_dataclass(item) and not isinstance(item, type):
        return {f.name: _shown(getattr(item, f.name)) for f in fields(item)}
    if isinstance(item, EventId):
        return str(item)
    if isinstance(item, tuple) and hasattr(item, "_asdict"):
        return {name: _shown(value) for name, value in item._asdict().items()}
    if isinstance(item, (list, tuple)):
        return [_shown(value) for value in item]
    return dict(item) if isinstance(item, Mapping) else item


def _typed(text: str | None) -> bytes:
    if text is None or text == "-":
        text = sys.stdin.read(INPUT_BYTES_MAX)
    text = "".join(text.split())
    try:
        return bytes.fromhex(text)
    except ValueError:
        pass
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise Told(
            "the data is neither hexadecimal nor base64; raw bytes go in a file: --file FILE",
            "数据既不是十六进制也不是 base64；原始字节请用 --file 文件",
        ) from error
