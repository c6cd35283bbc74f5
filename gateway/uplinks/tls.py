"""TLS towards a broker: this site's authority, our certificate, the broker's name checked; failures in plain words."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Final

from protocol.words import Told

# X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which `ssl` has no name for: chain, purpose and name are still checked.
NO_CHECK_TIME: Final = 0x200000

_EXPIRED: Final = ("has expired", "已过期")
_NOT_YET_VALID: Final = ("is not valid yet: is our clock right?", "尚未生效：请检查本机时钟")
_NOT_OURS: Final = ("is not of this site's authority", "不是由本站点 CA 签发")
_OTHER_NAME: Final = ("is for another name", "属于另一名称")
# By X509_V_ERR_* of OpenSSL (x509_vfy.h): self-signed or of an unknown issuer, another host name, another address.
_REFUSALS: Final = {
    9: _NOT_YET_VALID,
    10: _EXPIRED,
    18: _NOT_OURS,
    19: _NOT_OURS,
    20: _NOT_OURS,
    21: _NOT_OURS,
    62: _OTHER_NAME,
    64: _OTHER_NAME,
}


def client_context(ca: Path, certificate: Path, key: Path, clock_unset: bool) -> ssl.SSLContext:
    """TLS 1.2 or later, believing `ca` alone and showing `certificate`.

    With `clock_unset` the validity period is not checked: a gateway whose clock battery is flat must still call.
    Raises Told where a file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # requires a certificate and checks the host name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A gateway's common name is its id, which nobody keeps from being a host.
    context.hostname_checks_common_name = False
    if clock_unset:
        context.verify_flags |= NO_CHECK_TIME
    try:
        context.load_verify_locations(ca)
    except (OSError, ValueError) as error:
        raise _unusable(ca, error) from error
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        raise _unusable(certificate, error, f" ({key.name})") from error
    return context


def connect(host: str, port: int, context: ssl.SSLContext, timeout_s: float) -> ssl.SSLSocket:
    """A TLS connection to `host`; `timeout_s` bounds each step of making it. Raises Told."""
    try:
        plain = socket.create_connection((host, port), timeout=timeout_s)
    except (OSError, UnicodeError) as error:  # UnicodeError: a host name that cannot be one
        raise _no_connection(error) from error
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # an alarm is one small write: it must not wait
        return context.wrap_socket(plain, server_hostname=host)  # closes `plain` where the handshake fails
    except (OSError, ValueError) as error:
        plain.close()
        raise _no_handshake(error) from error


def _no_password() -> str:
    return ""  # without this OpenSSL would ask at the terminal for the password of an encrypted key


def _unusable(path: Path, error: Exception, more: str = "") -> Told:
    detail = getattr(error, "strerror", None) or type(error).__name__
    return Told(
        f"{path}{more} cannot be used: {detail}; copy the gateway's folder again, or run `sixkit provision`",
        f"{path}{more} 无法使用：{detail}；请重新复制网关文件夹，或运行 `sixkit provision`",
    )


def _no_connection(error: Exception) -> Told:
    match error:
        case socket.gaierror() | UnicodeError():
            return Told("no such host, or no name service", "找不到该主机，或域名服务不可用")
        case ConnectionRefusedError():
            return Told("connection refused: no broker listens there", "连接被拒绝：没有消息服务器监听")
        case TimeoutError():
            return Told("no answer", "无应答")
        case _:
            detail = getattr(error, "strerror", None) or type(error).__name__
            return Told(f"not reachable: {detail}", f"无法到达：{detail}")


def _no_handshake(error: Exception) -> Told:
    match error:
        case ssl.SSLCertVerificationError():
            other = (f"is refused: {error.verify_message}", f"被拒绝：{error.verify_message}")
            en, zh = _REFUSALS.get(error.verify_code, other)
            return Told(f"the broker's certificate {en}", f"服务器证书{zh}")
        case TimeoutError():
            return Told("no answer to TLS", "TLS 无应答")
        case ssl.SSLError() if error.reason:
            reason = error.reason.lower().replace("_", " ")
            return Told(f"TLS failed: {reason}", f"TLS 失败：{reason}")
        case _:
            return Told("closed during TLS", "TLS 握手期间连接被关闭")
