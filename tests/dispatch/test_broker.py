"""The centre's MQTT connection: several brokers, brokers that say nothing, and connections that are half open."""

from __future__ import annotations

import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from dispatch import broker
from dispatch.broker import Broker
from protocol.words import Told
from sim.case import TerminalSpec
from sim.site import Site

States = queue.Queue[tuple[bool, str]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("broker") / "site"
    with Site(folder, [TerminalSpec("smoke-1", "smoke", "kitchen")]) as site:
        site.start("broker")
        yield site


def port_of(site: Site) -> int:
    found = re.search(r'broker = "localhost:(\d+)"', (site.folder / "centre" / "dispatch.toml").read_text())
    assert found
    return int(found[1])


def context_of(site: Site) -> ssl.SSLContext:
    folder = site.folder / "centre"
    return broker.tls(folder / "ca.pem", folder / "dispatch.pem", folder / "dispatch.key")


@contextmanager
def running(site: Site, ports: list[int]) -> Iterator[tuple[Broker, States]]:
    states: States = queue.Queue()
    client = Broker(
        [("localhost", port) for port in ports],
        lambda: context_of(site),
        lambda topic, payload: None,
        lambda up, detail: states.put((up, detail)),
    )
    client.start()
    try:
        yield client, states
    finally:
        client.close()
        assert not client.is_alive()


@contextmanager
def silent() -> Iterator[int]:
    """A port that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


class Wire:
    """A TCP connection's way through us, which can be cut without either end being told."""

    def __init__(self, to: int):
        self.cut = threading.Event()
        self._to = to
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._sockets = [self._server]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._server.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self._sockets += [near, far]
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=ends, daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(4096):
                if not self.cut.is_set():
                    target.sendall(data)


def test_a_publish_needs_a_connection_and_says_so(site: Site) -> None:
    with running(site, [port_of(site)]) as (client, states):
        assert states.get(timeout=10)[0]
        assert client.publish("sixkit/1/gw-1/down/receipt", b"x")
    assert not client.publish("sixkit/1/gw-1/down/receipt", b"x")


def test_a_receipt_does_not_wait_for_delayed_acknowledgements(site: Site) -> None:
    with running(site, [port_of(site)]) as (client, states):
        assert states.get(timeout=10)[0]
        assert client._client is not None
        assert client._client.socket().getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


# paho leaves a socket whose handshake failed to the garbage collector, which closes it and says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_next_broker_is_tried_when_one_refuses_or_says_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "CONNECT_S_MAX", 0.3)
    monkeypatch.setattr(broker, "BACK_OFF_S_MAX", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        refusing = closed.getsockname()[1]
    with silent() as mute, running(site, [refusing, mute, port_of(site)]) as (_, states):
        assert [states.get(timeout=10)[0] for _ in range(3)] == [False, False, True]


@pytest.mark.night
def test_a_half_open_connection_is_found_within_20_s(site: Site) -> None:
    wire = Wire(port_of(site))
    try:
        with running(site, [wire.port]) as (_, states):
            assert states.get(timeout=10)[0]
            time.sleep(3)  # somewhere between two pings
            wire.cut.set()
            began_s = time.monotonic()
            assert not states.get(timeout=30)[0]
            assert time.monotonic() - began_s < 20
    finally:
        wire.close()


def test_unusable_certificates_are_told_with_their_files(site: Site, tmp_path: Path) -> None:
    folder = site.folder / "centre"
    (tmp_path / "bad.pem").write_text("nothing")
    with pytest.raises(Told, match=r"bad\.pem: not a usable CA"):
        broker.tls(tmp_path / "bad.pem", folder / "dispatch.pem", folder / "dispatch.key")
    with pytest.raises(Told, match=r"bad\.pem"):
        broker.tls(folder / "ca.pem", folder / "dispatch.pem", tmp_path / "bad.pem")
    with pytest.raises(Told, match=r"ca\.key"):  # a key, but of another certificate
        broker.tls(folder / "ca.pem", folder / "dispatch.pem", folder / "ca.key")
