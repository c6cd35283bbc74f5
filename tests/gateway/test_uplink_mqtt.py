"""The MQTT uplink against a real broker, over real TLS, with the files of a really provisioned site."""

from __future__ import annotations

import contextlib
import os
import queue
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import paho.mqtt.client as paho
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion

from gateway.uplinks import mqtt
from gateway.uplinks.mqtt import Downlink, MqttUplink, UplinkState
from gateway.uplinks.mqtt_connection import PAYLOAD_BYTES_MAX, TICK_MS, WINDOW
from sixkit_tools import certificates
from sixkit_tools.site_folder import make_site

T = TypeVar("T")
WAIT_S = 15  # for what takes milliseconds on an idle machine
UP, DOWN = "sixkit/1/gw-1/up/alarm", "sixkit/1/gw-1/down/receipt"


def binary(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    path = str(beside) if beside.exists() else shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def until(what: Callable[[], bool], wait_s: float = WAIT_S) -> bool:
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.01)
    return what()


class Broker:
    """A broker process on a site's own configuration."""

    def __init__(self, site: Path, port: int, kind: str = "nats-server"):
        self.folder, self.port = site / "broker", port
        conf = "nats.conf" if kind == "nats-server" else "mosquitto.conf"
        self.command = [binary(kind), "-c", conf]
        self.log = site / f"{kind}.log"
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, cwd=self.folder, stdout=log, stderr=log)
        assert until(self._listens), self.log.read_text()

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Proxy:
    """A TCP forwarder that can stop forwarding without closing anything, or cut everything."""

    def __init__(self, target: int, host: str = "127.0.0.1"):
        self._target = target
        self._listener = socket.create_server((host, 0))
        self.port: int = self._listener.getsockname()[1]
        self.stalled = False
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            self._open += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._forward, args=(source, sink), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(4096):
                while self.stalled:
                    time.sleep(0.02)
                sink.sendall(data)
        except OSError:
            pass

    def cut(self) -> None:
        for end in self._open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._open.clear()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        self.stalled = False


class Inbox(queue.SimpleQueue[object]):
    """What the agent's main loop would get, by type."""

    def next(self, kind: type[T], wait_s: float = WAIT_S) -> T:
        got = self.get(timeout=wait_s)
        assert isinstance(got, kind), got
        return got


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, port: int) -> Path:
    folder = tmp_path_factory.mktemp("uplink") / "site"
    for gateway in ("gw-1", "gw-2"):
        make_site(folder, gateway, broker=f"localhost:{port}")
    return folder


@pytest.fixture
def broker(site: Path, port: int) -> Iterator[Broker]:
    started = Broker(site, port)
    yield started
    started.kill()


@pytest.fixture
def proxied(broker: Broker) -> Iterator[Proxy]:
    proxy = Proxy(broker.port)
    yield proxy
    proxy.close()


Start = Callable[..., tuple[MqttUplink, Inbox]]


@pytest.fixture
def start(site: Path) -> Iterator[Start]:
    """Starts uplinks on the site's files, any of them replaced, and stops them after the test."""
    started = []

    def begin(
        *ports: int,
        gateway: str = "gw-1",
        host: str = "localhost",
        clock_unset: bool = False,
        keepalive_s: int = mqtt.KEEPALIVE_S,
        **files: Path,
    ) -> tuple[MqttUplink, Inbox]:
        own, inbox = site / "gateways" / gateway, Inbox()
        paths = {"ca": own / "ca.pem", "certificate": own / "uplink.pem", "key": own / "uplink.key"} | files
        uplink = MqttUplink(
            "mqtt-1",
            [(host, port) for port in ports],
            gateway,
            **paths,
            put=inbox.put,
            clock_unset=lambda: clock_unset,
            random=lambda count: b"\x08" + os.urandom(count - 1),  # the shorter waits
            keepalive_s=keepalive_s,
        )
        uplink.start()
        started.append(uplink)
        return uplink, inbox

    yield begin
    for uplink in started:
        uplink.stop()


class Peer:
    """A plain MQTT client with a certificate of the site: the centre, or a gateway that was taken over."""

    def __init__(self, port: int, certificate: Path, subscribe: str | None = None, will: str | None = None):
        self.got = got = queue.SimpleQueue[tuple[str, bytes]]()
        self.acknowledged = acknowledged = threading.Event()
        subscribed = queue.SimpleQueue[bool]()
        context = ssl.create_default_context(cafile=str(certificate.with_name("ca.pem")))
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        self.client = paho.Client(CallbackAPIVersion.VERSION2)
        if will:
            self.client.will_set(will, b"forged", 1)
        self.client.tls_set_context(context)
        if subscribe:
            self.client.on_connect = lambda client, *_: client.subscribe(subscribe, 1) and None
        self.client.on_subscribe = lambda _client, _data, _mid, reasons, _: subscribed.put(not reasons[0].is_failure)
        self.client.on_message = lambda _client, _data, message: got.put((message.topic, bytes(message.payload)))
        self.client.on_publish = lambda *_: acknowledged.set()
        self.client.connect("localhost", port)
        self.client.loop_start()
        self.granted = subscribed.get(timeout=WAIT_S) if subscribe else False

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def silent(self) -> bool:
        time.sleep(0.3)
        return self.got.empty()


@pytest.fixture
def centre(broker: Broker, site: Path) -> Iterator[Peer]:
    peer = Peer(broker.port, site / "centre/dispatch.pem", "sixkit/1/+/up/+")
    yield peer
    peer.close()


@pytest.fixture
def taken_over(broker: Broker, site: Path) -> Iterator[Peer]:
    """Somebody with the certificate of gw-2 who tries to read what is for gw-1."""
    peer = Peer(broker.port, site / "gateways/gw-2/uplink.pem", DOWN)
    yield peer
    peer.close()


# --- the way there and back ---


def test_what_is_sent_arrives_and_the_answer_comes_back(start: Start, broker: Broker, centre: Peer) -> None:
    uplink, inbox = start(broker.port)
    assert inbox.next(UplinkState) == UplinkState(
        "mqtt-1", True, f"connected to localhost:{broker.port}", f"已连接 localhost:{broker.port}"
    )
    assert uplink.send("alarm", b"smoke")
    assert uplink.send("heartbeat", b"alive")
    assert {centre.got.get(timeout=WAIT_S) for _ in range(2)} == {
        (UP, b"smoke"),
        ("sixkit/1/gw-1/up/heartbeat", b"alive"),
    }
    centre.client.publish(DOWN, b"receipt", 1)
    assert inbox.next(Downlink) == Downlink("mqtt-1", "receipt", b"receipt")
    centre.client.publish("sixkit/1/gw-1/down/command", b"command", 0)
    assert inbox.next(Downlink) == Downlink("mqtt-1", "command", b"command")


def test_a_burst_goes_out_in_order_one_window_at_a_time(start: Start, broker: Broker, centre: Peer) -> None:
    uplink, inbox = start(broker.port)
    inbox.next(UplinkState)
    wanted = [b"%d" % number for number in range(200)]
    for payload in wanted:
        assert until(lambda payload=payload: uplink.send("alarm", payload))  # type: ignore[misc]
    assert [centre.got.get(timeout=WAIT_S)[1] for _ in wanted] == wanted


def test_stopping_sends_what_was_handed_over_and_says_so(start: Start, broker: Broker, centre: Peer) -> None:
    uplink, inbox = start(broker.port)
    inbox.next(UplinkState)
    assert uplink.send("alarm", b"last words")
    uplink.stop()
    assert centre.got.get(timeout=WAIT_S) == (UP, b"last words")
    assert not inbox.next(UplinkState).up
    assert not uplink.send("alarm", b"too late")


def test_it_works_with_mosquitto_in_place_of_nats(start: Start, site: Path, port: int) -> None:
    broker = Broker(site, port, "mosquitto")
    try:
        centre = Peer(port, site / "centre/dispatch.pem", "sixkit/1/+/up/+")
        uplink, inbox = start(port)
        assert inbox.next(UplinkState).up
        assert uplink.send("alarm", b"smoke")
        assert centre.got.get(timeout=WAIT_S) == (UP, b"smoke")
        other = Peer(port, site / "gateways/gw-2/uplink.pem", DOWN)
        other.client.publish(UP, b"forged", 1)
        centre.client.publish(DOWN, b"receipt", 1)
        assert inbox.next(Downlink).payload == b"receipt"
        assert other.silent()
        assert centre.silent()
        other.close()
        centre.close()
    finally:
        broker.kill()


# --- what is never done ---


def test_nothing_is_taken_while_down(start: Start) -> None:
    uplink, inbox = start(free_port())
    assert "connection refused" in inbox.next(UplinkState).detail
    assert not uplink.send("alarm", b"smoke")


def test_no_more_than_a_window_is_taken_while_the_broker_is_slow(start: Start, proxied: Proxy) -> None:
    uplink, inbox = start(proxied.port)
    inbox.next(UplinkState)
    proxied.stalled = True
    assert [uplink.send("alarm", b"smoke") for _ in range(WINDOW + 4)] == [True] * WINDOW + [False] * 4


def test_nothing_is_carried_over_to_the_next_connection(start: Start, proxied: Proxy, centre: Peer) -> None:
    uplink, inbox = start(proxied.port)
    inbox.next(UplinkState)
    proxied.stalled = True
    for _ in range(WINDOW):
        assert uplink.send("alarm", b"lost on the way")
    time.sleep(0.1)
    proxied.cut()
    proxied.stalled = False
    assert inbox.next(UplinkState).detail.endswith("the connection was closed")
    assert inbox.next(UplinkState).up
    assert uplink.send("alarm", b"fresh")
    assert centre.got.get(timeout=WAIT_S) == (UP, b"fresh")
    assert centre.silent()


def test_what_is_too_long_is_neither_sent_nor_received(start: Start, broker: Broker, centre: Peer) -> None:
    uplink, inbox = start(broker.port)
    inbox.next(UplinkState)
    assert not uplink.send("alarm", bytes(PAYLOAD_BYTES_MAX + 1))
    centre.client.publish(DOWN, bytes(PAYLOAD_BYTES_MAX + 1), 1)
    centre.client.publish("sixkit/1/gw-1/down/unheard-of", b"x", 1)
    centre.client.publish(DOWN, bytes(PAYLOAD_BYTES_MAX), 1)
    assert len(inbox.next(Downlink).payload) == PAYLOAD_BYTES_MAX
    assert +uplink.counters == Counter(too_long=1, downlink_too_long=1, unknown_topic=1)


def test_a_flood_from_above_is_cut_and_counted(start: Start, broker: Broker, centre: Peer) -> None:
    uplink, inbox = start(broker.port)
    inbox.next(UplinkState)
    sent = 4 * mqtt.DOWNLINKS_PER_S_MAX
    for _ in range(sent):
        centre.client.publish(DOWN, b"receipt", 0)
    assert until(lambda: uplink.counters["downlink_flood"] + inbox.qsize() == sent)
    assert uplink.counters["downlink_flood"] > 0


# --- connections that fail and come back ---


def test_a_broker_that_was_killed_and_comes_back_is_found_again(start: Start, broker: Broker) -> None:
    uplink, inbox = start(broker.port)
    assert inbox.next(UplinkState).up
    broker.kill()
    assert not inbox.next(UplinkState).up
    assert not uplink.send("alarm", b"smoke")
    broker.start()
    assert until(lambda: inbox.next(UplinkState).up)
    assert uplink.send("alarm", b"smoke")


def test_the_second_broker_of_the_list_is_used_when_the_first_is_dead(start: Start, broker: Broker) -> None:
    _, inbox = start(free_port(), broker.port)
    began = time.monotonic()
    assert not inbox.next(UplinkState).up
    assert inbox.next(UplinkState).up
    assert time.monotonic() - began < 1


def test_a_broker_with_no_centre_behind_it_is_left_for_the_next(
    start: Start, broker: Broker, proxied: Proxy, centre: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "ANSWER_S_MAX", 1.5)
    uplink, inbox = start(proxied.port, broker.port)
    assert str(proxied.port) in inbox.next(UplinkState).detail
    for _ in range(2):  # each is answered: it is the silence that counts
        assert uplink.send("heartbeat", b"alive")
        centre.client.publish(DOWN, b"receipt", 1)
        assert inbox.next(Downlink)
        time.sleep(1)
    assert uplink.send("alarm", b"smoke")  # acknowledged by the broker, and no more than that
    assert "the centre does not answer" in inbox.next(UplinkState).detail
    assert inbox.next(UplinkState).detail == f"connected to localhost:{broker.port}"


def test_the_only_broker_is_not_left_for_the_centre_s_silence(
    start: Start, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "ANSWER_S_MAX", 0.1)
    uplink, inbox = start(broker.port)
    assert inbox.next(UplinkState).up
    assert uplink.send("alarm", b"smoke")
    time.sleep(1.5)
    assert inbox.empty()


def test_a_half_open_connection_is_found_by_its_silence(start: Start, proxied: Proxy) -> None:
    _, inbox = start(proxied.port, keepalive_s=1)
    assert inbox.next(UplinkState).up
    proxied.stalled = True
    began = time.monotonic()
    assert "no sign of life" in inbox.next(UplinkState).detail
    assert time.monotonic() - began < 2 * 1 + TICK_MS / 1000 + 0.5


def test_the_usual_keepalive_finds_half_open_connections_within_20_s() -> None:
    assert 2 * mqtt.KEEPALIVE_S + TICK_MS / 1000 < 20


@pytest.mark.night
def test_a_half_open_connection_is_found_within_20_s_while_sending(start: Start, proxied: Proxy) -> None:
    uplink, inbox = start(proxied.port)
    assert inbox.next(UplinkState).up
    proxied.stalled = True
    began = time.monotonic()
    while inbox.empty() and time.monotonic() - began < 30:
        uplink.send("heartbeat", b"alive")
        time.sleep(1)
    assert not inbox.next(UplinkState).up
    assert time.monotonic() - began < 20


def test_a_server_that_accepts_and_says_nothing_is_left(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "CONNECT_S_MAX", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        _, inbox = start(mute.getsockname()[1])
        assert "no answer to TLS" in inbox.next(UplinkState).detail


def test_waits_grow_to_a_cap_and_are_spread(site: Path) -> None:
    def waits(fraction: int) -> list[float]:
        own = site / "gateways/gw-1"
        uplink = MqttUplink(
            "mqtt-1",
            [("localhost", 1)],
            "gw-1",
            own,
            own,
            own,
            print,
            bool,
            random=lambda count: bytes([fraction]) * count,
        )
        uplink.stop()
        return [round(uplink._backoff_s(rounds), 1) for rounds in (0, 1, 2, 3, 6, 5000)]

    assert waits(255) == [1.0, 1.0, 2.0, 4.0, 8.0, 8.0]
    assert waits(0) == [0.0] * 6


# --- who is believed ---


def test_a_broker_of_another_authority_is_refused(start: Start, broker: Broker, tmp_path: Path) -> None:
    make_site(tmp_path)
    _, inbox = start(broker.port, ca=tmp_path / "centre/ca.pem")
    assert "not of this site's authority" in inbox.next(UplinkState).detail


@pytest.mark.parametrize("clock_unset", [False, True])
def test_a_broker_with_another_name_is_refused(start: Start, broker: Broker, clock_unset: bool) -> None:
    elsewhere = Proxy(broker.port, "127.0.0.2")
    try:
        _, inbox = start(elsewhere.port, host="127.0.0.2", clock_unset=clock_unset)
        assert "is for another name" in inbox.next(UplinkState).detail
    finally:
        elsewhere.close()


@pytest.mark.parametrize(("year", "said"), [(2005, "has expired"), (2100, "not valid yet")])
def test_dates_are_checked_unless_the_clock_is_unset(
    start: Start, tmp_path: Path, site: Path, port: int, year: int, said: str
) -> None:
    dated = redated(site, tmp_path / "dated", datetime(year, 1, 1, tzinfo=UTC))
    broker = Broker(dated, port)
    try:
        for ca in (site / "centre/ca.pem", dated / "dated-ca.pem"):  # the broker's certificate, and the authority too
            _, inbox = start(port, ca=ca)
            assert said in inbox.next(UplinkState).detail
            _, unset = start(port, ca=ca, clock_unset=True)
            assert unset.next(UplinkState).up
        make_site(tmp_path / "other")
        _, foreign = start(port, clock_unset=True, ca=tmp_path / "other/centre/ca.pem")
        assert "not of this site's authority" in foreign.next(UplinkState).detail
    finally:
        broker.kill()


def redated(site: Path, copy: Path, now: datetime) -> Path:
    """The site with a broker's certificate of another time, and beside it the authority's of that time."""
    shutil.copytree(site, copy)
    key, authority = ((copy / name).read_bytes() for name in ("broker/broker.key", "centre/ca.key"))
    (copy / "broker/broker.pem").write_bytes(certificates.broker_certificate(key, authority, "localhost", now))
    (copy / "dated-ca.pem").write_bytes(certificates.authority_certificate(authority, now))
    return copy


def test_a_gateway_of_another_site_is_refused(start: Start, broker: Broker, tmp_path: Path) -> None:
    make_site(tmp_path)
    own = tmp_path / "gateways/gw-1"
    _, inbox = start(broker.port, certificate=own / "uplink.pem", key=own / "uplink.key")
    assert "our certificate" in inbox.next(UplinkState).detail


def test_a_gateway_added_while_the_broker_runs_is_let_in_after_a_reload(
    start: Start, broker: Broker, site: Path
) -> None:
    make_site(site, "gw-3")
    _, inbox = start(broker.port, gateway="gw-3")
    assert "refuses this gateway" in inbox.next(UplinkState).detail
    pid_file = site / "broker/nats-server.pid"
    subprocess.run([binary("nats-server"), "--signal", f"reload={pid_file}"], check=True, capture_output=True)
    assert inbox.next(UplinkState).up
    assert broker.process.poll() is None


def test_unusable_files_are_named_and_tried_again(start: Start, broker: Broker, site: Path, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    _, inbox = start(broker.port, ca=ca)
    assert f"{ca} cannot be used: No such file" in inbox.next(UplinkState).detail
    shutil.copy(site / "broker/ca.pem", tmp_path / "copy")
    (tmp_path / "copy").rename(ca)
    assert inbox.next(UplinkState).up
    _, other = start(broker.port, key=ca)
    assert "uplink.pem (ca.pem) cannot be used" in other.next(UplinkState).detail


@pytest.mark.parametrize("host", ["no-such-host.invalid", "x" * 70, "a..b"])
def test_a_host_that_is_not_there_is_said(start: Start, host: str) -> None:
    _, inbox = start(1, host=host)
    assert "no such host" in inbox.next(UplinkState).detail


# --- a broker that was taken over ---

CONNACK, SUBACK = b"\x20\x02\x00\x00", b"\x90\x03\x00\x01\x01"
LONG = b"\xff\xff\xff\x7f"  # the longest length that MQTT can say: 256 MB


class Impostor:
    """A server with the broker's certificate that says `scripts` to one client after the other, then behaves."""

    def __init__(self, site: Path, scripts: list[bytes], hang_up: bool = True):
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(site / "broker/broker.pem", site / "broker/broker.key")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.behaves = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(scripts, hang_up))
        self._thread.start()

    def _serve(self, scripts: list[bytes], hang_up: bool) -> None:
        with self._listener:
            for script in scripts:
                self._say(script, hang_up)
            self._say(CONNACK + SUBACK, False, self.behaves)

    def _say(self, script: bytes, hang_up: bool, heard: threading.Event | None = None) -> None:
        plain, _ = self._listener.accept()
        with contextlib.suppress(OSError), self._context.wrap_socket(plain, server_side=True) as tls:
            tls.settimeout(WAIT_S)
            tls.recv(4096)
            if heard:
                heard.set()
            tls.sendall(script)
            if hang_up:
                tls.shutdown(socket.SHUT_WR)
            while tls.recv(4096):
                pass

    def gone(self) -> bool:
        self._thread.join(WAIT_S)
        return not self._thread.is_alive()


def packet(kind: int, body: bytes) -> bytes:
    return bytes([kind, len(body)]) + body


PACKETS = st.one_of(
    st.sampled_from([CONNACK, SUBACK, CONNACK + SUBACK, packet(0x30, b"\x00\x02\xff\xfe"), b"\x30" + LONG]),
    st.builds(packet, st.integers(0, 255), st.binary(max_size=60)),
    st.binary(max_size=60),
)


@given(scripts=st.lists(st.lists(PACKETS, max_size=5).map(b"".join), max_size=4))
def test_whatever_a_broker_says_the_uplink_comes_back(site: Path, scripts: list[bytes]) -> None:
    impostor, own = Impostor(site, scripts), site / "gateways/gw-1"
    uplink = MqttUplink(
        "mqtt-1",
        [("localhost", impostor.port)],
        "gw-1",
        own / "ca.pem",
        own / "uplink.pem",
        own / "uplink.key",
        put=Inbox().put,
        clock_unset=bool,
        random=bytes,  # zeros: no waiting
    )
    uplink.start()
    assert impostor.behaves.wait(WAIT_S)
    assert until(lambda: uplink.send("alarm", b"still here"))
    uplink.stop()
    assert impostor.gone()


@pytest.mark.parametrize("script", [b"\x30" + LONG + bytes(60_000), 2 * packet(0x34, b"\x00\x01a\x00\x07x")])
def test_what_would_be_stored_without_bound_ends_the_connection(start: Start, site: Path, script: bytes) -> None:
    impostor = Impostor(site, [CONNACK + SUBACK + script], hang_up=False)
    uplink, inbox = start(impostor.port)
    assert inbox.next(UplinkState).up
    assert "nobody asked for" in inbox.next(UplinkState).detail
    assert inbox.next(UplinkState).up
    uplink.stop()
    assert impostor.gone()


# --- what the broker lets a gateway do ---


def test_a_gateway_cannot_speak_for_another_although_its_publish_is_acknowledged(
    centre: Peer, taken_over: Peer
) -> None:
    taken_over.client.publish(UP, b"forged", 1)
    assert taken_over.acknowledged.wait(WAIT_S)  # a PUBACK says nothing: hence the centre's receipts
    assert centre.silent()
    taken_over.client.publish("sixkit/1/gw-2/up/alarm", b"its own", 1)
    assert centre.got.get(timeout=WAIT_S) == ("sixkit/1/gw-2/up/alarm", b"its own")


def test_a_gateway_cannot_read_or_forge_the_receipts_of_another(
    start: Start, broker: Broker, centre: Peer, taken_over: Peer
) -> None:
    _, inbox = start(broker.port)
    inbox.next(UplinkState)
    assert not taken_over.granted
    taken_over.client.publish(DOWN, b"forged", 1)
    centre.client.publish(DOWN, b"true", 1)
    assert inbox.next(Downlink).payload == b"true"
    assert taken_over.silent()


@pytest.mark.parametrize("topic", ["#", "sixkit/1/+/down/+", "$MQTT/sub/#", "$SYS/#", "sixkit/1/+/up/+"])
def test_a_gateway_can_subscribe_to_nothing_else(broker: Broker, site: Path, topic: str) -> None:
    peer = Peer(broker.port, site / "gateways/gw-2/uplink.pem", topic)
    assert not peer.granted
    peer.close()


def test_a_last_will_is_no_way_around(broker: Broker, site: Path, centre: Peer) -> None:
    peer = Peer(broker.port, site / "gateways/gw-2/uplink.pem", will=UP)
    assert until(peer.client.is_connected)
    connection = peer.client.socket()
    assert isinstance(connection, ssl.SSLSocket)
    connection.shutdown(socket.SHUT_RDWR)  # no goodbye: the broker speaks the will
    peer.close()
    assert centre.silent()


def test_nobody_is_let_in_without_a_certificate(broker: Broker, site: Path) -> None:
    context = ssl.create_default_context(cafile=str(site / "broker/ca.pem"))
    with pytest.raises(ssl.SSLError, match=r"CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE"):
        signed_in_with(context, broker.port)


def signed_in_with(context: ssl.SSLContext, port: int) -> bytes:
    with (
        socket.create_connection(("localhost", port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as tls,
    ):
        tls.sendall(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01x")
        return tls.recv(1)


def test_nats_own_port_lets_nobody_in(broker: Broker, site: Path) -> None:
    found = re.findall(r"client connections on 127\.0\.0\.1:(\d+)", broker.log.read_text())
    context = ssl.create_default_context(cafile=str(site / "broker/ca.pem"))
    context.load_cert_chain(site / "centre/dispatch.pem", site / "centre/dispatch.key")
    with socket.create_connection(("127.0.0.1", int(found[-1]))) as plain:
        plain.recv(4096)
        with context.wrap_socket(plain, server_hostname="localhost") as tls:
            tls.settimeout(WAIT_S)
            tls.sendall(b"CONNECT {}\r\nPING\r\n")
            assert tls.recv(4096).startswith(b"-ERR 'Authorization Violation'")
