"""Makes or completes the folder of a site: keys, certificates and configuration of broker, centre and gateways."""

from __future__ import annotations

import base64
import fcntl
import os
import pwd
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gateway.home.roster import TERMINALS_MAX
from protocol.wire.mac import KEY_BYTES
from protocol.words import Told, Unavailable

from . import broker_conf, certificates, site_texts
from .site_files import Files
from .site_words import BROKER_DEFAULT, PORT_DEFAULT, Wish, host_and_port

ADDRESS_FIRST: Final = 1001  # addresses below are left for what is set by hand
# A certificate dated by a clock that was never set would be refused everywhere, or run out at once.
CLOCK_EARLIEST: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Terminal:
    """One terminal of a gateway, without its key."""

    id: str
    kind: str
    room: str
    address: int


@dataclass(slots=True)
class Site:
    """What is there after provisioning; paths in `made` are relative to `folder`."""

    folder: Path
    gateway: str
    broker: str
    made: list[str] = field(default_factory=list)
    terminals: list[Terminal] = field(default_factory=list)
    added: list[str] = field(default_factory=list)  # ids of the terminals that are new
    kept: list[str] = field(default_factory=list)  # what was there otherwise than wished for, as "file: key = value"
    broker_changed: bool = False  # a broker that runs must read its permissions again


def make_site(
    folder: Path,
    gateway: str = "gw-1",
    *,
    broker: str | None = None,
    home: str = "",
    port: str = PORT_DEFAULT,
    terminals: Sequence[str] = (),
    simulation: bool = False,
    language: str = "zh",
    now: datetime | None = None,
) -> Site:
    """Makes the site in `folder`, or adds to it what it lacks of `gateway` and its `terminals` ("kind:room").

    What exists is never overwritten, so that an interrupted run is completed by running it again. Terminals are
    wishes for a number: two times "smoke:kitchen" makes sure that there are two.
    Raises Told for what cannot be meant, Unavailable for what this machine refuses.
    """
    wish = Wish.checked(gateway, broker, home, port, terminals)
    made_at = now or datetime.now(UTC)
    if made_at < CLOCK_EARLIEST:
        raise Unavailable(
            f"this machine's clock says {made_at:%Y-%m-%d}; set it first, since certificates carry dates",
            f"本机时钟为 {made_at:%Y-%m-%d}；证书带有日期，请先校准时钟",
        )
    try:
        with _locked(folder):
            return _Maker(folder, made_at).make(wish, simulation, language)
    except OSError as error:
        where = error.filename or folder
        raise Unavailable(
            f"{where}: {error.strerror}; a folder that you may write to is needed",
            f"{where}：{error.strerror}；需要一个可写的文件夹",
        ) from error


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Holds the folder, made where missing, against a second provisioning at the same time."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class _Maker:
    """One provisioning run over one folder."""

    def __init__(self, folder: Path, now: datetime):
        self._folder = folder
        self._files = Files(folder)
        self._now = now

    def make(self, wish: Wish, simulation: bool, language: str) -> Site:
        brokers = self._brokers(wish.broker)
        host, port = host_and_port(brokers[0])
        self._refuse_moved(wish.gateway)
        authority = self._centre(brokers[0], simulation)
        self._broker(authority, host, port)
        site = Site(self._folder, wish.gateway, brokers[0], self._files.made)
        site.terminals, site.added = self._gateway(wish, authority, brokers, simulation, language)
        self._enrol(wish)
        site.broker_changed = self._permit()
        site.kept = list(self._kept(wish))
        return site

    def _kept(self, wish: Wish) -> Iterator[str]:
        """What was there before and is otherwise than wished for: said, since it is for its owner to change."""
        name = f"gateways/{wish.gateway}/gateway.toml"
        ports = [row.get("port") for row in self._files.toml(name).get("bridge", [])]
        if wish.port != PORT_DEFAULT and wish.port not in ports:
            yield f"{name}: port = {', '.join(map(repr, ports))}"
        home = self._files.toml("centre/gateways.toml").get("gateway", {}).get(wish.gateway, {}).get("home", "")
        if wish.home and wish.home != home:
            yield f"centre/gateways.toml: home = {home!r}"

    def _centre(self, broker: str, simulation: bool) -> bytes:
        """Makes what the centre has; the authority's private key."""
        authority = self._files.put("centre/ca.key", certificates.tls_key, secret=True)
        self._files.put("centre/ca.pem", lambda: certificates.authority_certificate(authority, self._now))
        identity = self._files.put("centre/centre.key", certificates.identity_key, secret=True)
        self._files.put("centre/centre.pub", lambda: certificates.public_key(identity))
        self._client("centre/dispatch", authority, broker_conf.DISPATCH)
        self._files.put_text("centre/dispatch.toml", lambda: site_texts.dispatch_toml(broker, simulation))
        self._files.put_text("centre/gateways.toml", lambda: site_texts.GATEWAYS_HEAD)
        return authority

    def _broker(self, authority: bytes, host: str, port: int) -> None:
        key = self._files.put("broker/broker.key", certificates.tls_key, secret=True)
        self._files.put("broker/broker.pem", lambda: certificates.broker_certificate(key, authority, host, self._now))
        self._files.copy("centre/ca.pem", "broker/ca.pem")
        for store in ("jetstream", "mosquitto"):
            self._files.path(f"broker/{store}").mkdir(mode=0o700, exist_ok=True)
        self._files.put_text("broker/nats.conf", lambda: broker_conf.nats_conf(host, port))
        self._files.put_text("broker/mosquitto.conf", lambda: broker_conf.mosquitto_conf(host, port, _own_name()))
        # mosquitto warns of an access list that others can read
        self._files.put("broker/acl", lambda: broker_conf.mosquitto_acl().encode(), secret=True)

    def _gateway(
        self, wish: Wish, authority: bytes, brokers: list[str], simulation: bool, language: str
    ) -> tuple[list[Terminal], list[str]]:
        own = f"gateways/{wish.gateway}"
        identity = self._files.put(f"{own}/identity.key", certificates.identity_key, secret=True)
        self._files.put(f"{own}/identity.pub", lambda: certificates.public_key(identity))
        self._client(f"{own}/uplink", authority, wish.gateway)
        self._files.copy("centre/ca.pem", f"{own}/ca.pem")
        self._files.copy("centre/centre.pub", f"{own}/centre.pub")
        self._files.put_text(
            f"{own}/gateway.toml",
            lambda: site_texts.gateway_toml(wish.gateway, language, simulation, brokers, wish.port),
        )
        return self._terminals(f"{own}/terminals.toml", wish)

    def _terminals(self, name: str, wish: Wish) -> tuple[list[Terminal], list[str]]:
        """All terminals of the gateway after adding those that are wished for and missing, and the ids of these."""
        self._files.put(name, lambda: site_texts.TERMINALS_HEAD.encode(), secret=True)
        rows = self._files.toml(name).get("terminal", [])
        try:
            terminals = [Terminal(row["id"], row["kind"], row.get("room", ""), int(row["address"])) for row in rows]
        except (KeyError, TypeError, ValueError) as error:
            raise self._files.broken(name, f"a terminal's {error}") from error
        new = _missing(terminals, wish.terminals)
        if len(terminals) + len(new) > TERMINALS_MAX:
            raise Told(
                f"{wish.gateway}: {len(terminals) + len(new)} terminals; a gateway takes {TERMINALS_MAX} at most",
                f"{wish.gateway}：共 {len(terminals) + len(new)} 个终端；一个网关最多 {TERMINALS_MAX} 个",
            )
        if new:
            added = (
                site_texts.terminals_row(t.id, t.kind, t.room, t.address, secrets.token_bytes(KEY_BYTES)) for t in new
            )
            self._files.append(name, "".join(added), secret=True)
        return terminals + new, [terminal.id for terminal in new]

    def _enrol(self, wish: Wish) -> None:
        """Writes the gateway into the centre's list, where it is not there yet."""
        if self._known_key(wish.gateway) is None:
            row = site_texts.gateways_row(wish.gateway, self._raw_identity(wish.gateway), wish.home)
            self._files.append("centre/gateways.toml", row)

    def _permit(self) -> bool:
        """Writes the broker's permissions, where they changed; whether a running broker has to be told."""
        name = f"broker/{broker_conf.PERMISSIONS_FILE}"
        users = broker_conf.nats_users(self._files.toml("centre/gateways.toml").get("gateway", {})).encode()
        existed = self._files.path(name).exists()
        if existed and self._files.path(name).read_bytes() == users:
            return False
        self._files.write(name, users)
        return existed

    def _refuse_moved(self, gateway: str) -> None:
        """A gateway whose folder went to its machine must not get a second identity here."""
        known = self._known_key(gateway)
        if known is None:
            return
        here = self._files.path(f"gateways/{gateway}/identity.key").exists()
        if not here or self._raw_identity(gateway) != known:
            raise Told(
                f"gateway {gateway} is enrolled in centre/gateways.toml with another key than this folder holds; "
                "add its terminals where its folder is now, or remove its entry there to enrol it anew",
                f"网关 {gateway} 已在 centre/gateways.toml 登记，但密钥与本文件夹不符；"
                "请在其文件夹现在所在处添加终端，或删除该登记后重新登记",
            )

    def _known_key(self, gateway: str) -> str | None:
        if not self._files.path("centre/gateways.toml").exists():
            return None
        try:
            key: str | None = self._files.toml("centre/gateways.toml").get("gateway", {}).get(gateway, {}).get("key")
        except AttributeError as error:
            raise self._files.broken("centre/gateways.toml", f"gateway {gateway}") from error
        return key

    def _raw_identity(self, gateway: str) -> str:
        name = f"gateways/{gateway}/identity.key"
        with self._files.key_errors(name):
            return base64.b64encode(certificates.raw_public_key(self._files.path(name).read_bytes())).decode()

    def _brokers(self, wished: str | None) -> list[str]:
        """The site's brokers: what the centre of an existing site has, or else what is wished for, or the default."""
        if not self._files.path("centre/dispatch.toml").exists():
            return [wished or BROKER_DEFAULT]
        found = self._files.toml("centre/dispatch.toml").get("broker")
        brokers = [broker for broker in (found if isinstance(found, list) else [found]) if isinstance(broker, str)]
        if not brokers:
            raise self._files.broken("centre/dispatch.toml", "no broker")
        if wished is not None and wished not in brokers:
            raise Told(
                f"this site's broker is {', '.join(brokers)}, not {wished}; to move it, make a new site elsewhere",
                f"本站点的消息服务器是 {'、'.join(brokers)}，而非 {wished}；如需更换，请在另一文件夹新建站点",
            )
        return brokers

    def _client(self, stem: str, authority: bytes, name: str) -> None:
        key = self._files.put(f"{stem}.key", certificates.tls_key, secret=True)
        self._files.put(f"{stem}.pem", lambda: certificates.client_certificate(key, authority, name, self._now))


def _missing(terminals: Sequence[Terminal], wished: Sequence[tuple[str, str]]) -> list[Terminal]:
    """The terminals to add so that each wished (kind, room) is there as often as it is wished for."""
    lacking = Counter(wished) - Counter((t.kind, t.room) for t in terminals)
    ids = {terminal.id for terminal in terminals}
    address = max([ADDRESS_FIRST - 1, *(terminal.address for terminal in terminals)])
    new = []
    for kind, room in lacking.elements():
        number = next(n for n in range(1, TERMINALS_MAX * 2) if f"{kind}-{n}" not in ids)
        address += 1
        new.append(Terminal(f"{kind}-{number}", kind, room, address))
        ids.add(f"{kind}-{number}")
    return new


def _own_name() -> str | None:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container whose user has no name
        return None
