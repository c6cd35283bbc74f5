"""The centre as a process beside a real broker with TLS: receipts, outages, refusals, and a graceful stop."""

from __future__ import annotations

import json
import queue
import re
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from dispatch import centre
from protocol import envelope, record, topic
from protocol.record import Event, EventId, Heartbeat, Interval, Receipt, Stamp
from protocol.words import Told
from sim.case import GATEWAY, TerminalSpec
from sim.site import Site

WAIT_S_MAX = 20.0


def soon(check: Callable[[], Any]) -> Any:
    """What `check` comes to give within the time."""
    deadline = time.monotonic() + WAIT_S_MAX
    while not (found := check()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)
    return found


class Gateway:
    """A gateway's own connection and key, without the agent."""

    def __init__(self, folder: Path, broker_port: int):
        self.receipts: queue.Queue[Receipt] = queue.Queue()
        self._key = envelope.signing_key((folder / "identity.key").read_bytes(), GATEWAY.encode())
        self._centre = {b"centre": envelope.verifying_key((folder / "centre.pub").read_bytes(), b"centre")}
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        context = ssl.create_default_context(cafile=folder / "ca.pem")
        context.load_cert_chain(folder / "uplink.pem", folder / "uplink.key")
        self._client.tls_set_context(context)
        self._client.on_message = self._on_message
        subscribed: queue.Queue[int] = queue.Queue()
        self._client.on_subscribe = lambda client, data, mid, reasons, properties: subscribed.put(mid)
        self._client.connect("localhost", broker_port)
        self._client.loop_start()
        self._client.subscribe(topic.down_filter(GATEWAY), qos=1)
        subscribed.get(timeout=WAIT_S_MAX)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def send(self, data: bytes, leaf: str = topic.ALARM) -> None:
        sealed = envelope.seal(data, self._key, topic.context(leaf))
        self._client.publish(topic.build(GATEWAY, leaf), sealed, qos=1)

    def receipt(self) -> Receipt:
        return self.receipts.get(timeout=WAIT_S_MAX)

    def _on_message(self, client: mqtt.Client, data: Any, message: mqtt.MQTTMessage) -> None:
        _, found = envelope.open(bytes(message.payload), self._centre, topic.context(topic.RECEIPT))
        receipt = record.decode(found)
        assert isinstance(receipt, Receipt)
        self.receipts.put(receipt)


def alarm(sequence: int) -> bytes:
    number = EventId(1, sequence)
    now = Stamp(int(time.time() * 1000), 1000, 1, "synchronised")
    return Event(
        GATEWAY, number, number, "smoke", "raised", "life", "held", f"smoke-{sequence}", "kitchen", now
    ).to_record()


@contextmanager
def connected(site: Site) -> Iterator[Gateway]:
    gateway = Gateway(site.gateway_folder, broker_port(site))
    try:
        yield gateway
    finally:
        gateway.close()


def broker_port(site: Site) -> int:
    found = re.search(r'broker = "localhost:(\d+)"', dispatch_toml(site))
    assert found
    return int(found[1])


@contextmanager
def started(site: Site, config: str) -> Iterator[subprocess.Popen[str]]:
    """A centre beside the site's own; killed at the end if it still runs."""
    command = [sys.executable, "-m", "sixkit_tools", "dispatch", "--config", config, "--json"]
    folder, pipe = site.folder / "centre", subprocess.PIPE
    with subprocess.Popen(command, cwd=folder, stdout=pipe, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def dispatch_toml(site: Site) -> str:
    return (site.folder / "centre" / "dispatch.toml").read_text()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("centre") / "site"
    with Site(folder, [TerminalSpec("smoke-1", "smoke", "kitchen")]) as site:
        yield site


@pytest.fixture
def site(made: Site) -> Site:
    """The site with broker and centre running, the centre's database new."""
    made.kill("centre")
    made.heard.clear()
    shutil.rmtree(made.folder / "centre" / "data", ignore_errors=True)
    made.start("broker")
    made.start("centre")
    return made


def test_a_sealed_event_becomes_an_incident_and_gets_a_signed_receipt(site: Site) -> None:
    with connected(site) as gateway:
        gateway.send(alarm(1))
        assert gateway.receipt().intervals == (Interval(1, 1, 1),)
        (incident,) = site.centre("/api/incidents")
        assert (incident["terminal"], incident["gateway"]) == ("smoke-1", GATEWAY)
        gateway.send(alarm(1))
        assert gateway.receipt().intervals == (Interval(1, 1, 1),)
    assert site.centre("/api/counters")["repeats_absorbed"] == 1
    assert len(site.centre("/api/incidents")) == 1
    said = {heard.line.what for heard in site.heard}
    assert {"ready", "broker", "committed", "incident", "repeat"} <= said


def test_a_heartbeat_is_echoed_and_the_gateway_is_online(site: Site) -> None:
    now = Stamp(int(time.time() * 1000), 1000, 1, "synchronised")
    with connected(site) as gateway:
        gateway.send(Heartbeat(GATEWAY, 77, now, "0.1.0", 5, 0, 0, 1, 0).to_record(), topic.HEARTBEAT)
        assert gateway.receipt().echo == 77
    (found,) = site.centre("/api/gateways")
    assert found["state"] == "online"


def test_a_burst_is_committed_whole(site: Site) -> None:
    with connected(site) as gateway:
        for sequence in range(1, 301):
            gateway.send(alarm(sequence))
        receipted: set[int] = set()
        while len(receipted) < 300:
            for interval in gateway.receipt().intervals:
                receipted.update(range(interval.first, interval.last + 1))
    assert site.centre("/api/counters")["events_committed"] == 300


def test_forged_and_malformed_messages_are_counted_and_nothing_else(site: Site) -> None:
    site.forge(3)
    soon(lambda: site.centre("/api/counters")["forged_refused"] == 3)
    assert site.centre("/api/incidents") == []
    assert soon(lambda: site.lines("centre", "refused"))


def test_the_centre_outlives_its_broker_and_takes_up_where_it_left(site: Site) -> None:
    site.kill("broker")
    soon(lambda: [heard for heard in site.lines("centre", "broker") if heard.line.fields["state"] == "down"])
    assert site.centre("/api/incidents") == []
    site.start("broker")
    soon(lambda: [heard for heard in site.lines("centre", "broker") if heard.line.fields["state"] == "up"][1:])
    with connected(site) as gateway:
        gateway.send(alarm(1))
        assert gateway.receipt().intervals == (Interval(1, 1, 1),)


def test_a_centre_killed_and_started_again_knows_what_it_had(site: Site) -> None:
    with connected(site) as gateway:
        gateway.send(alarm(1))
        gateway.receipt()
        site.kill("centre")
        site.start("centre")
        gateway.send(alarm(1))
        assert gateway.receipt().intervals == (Interval(1, 1, 1),)
    assert len(site.centre("/api/incidents")) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_in_order_and_at_once(site: Site, number: signal.Signals) -> None:
    site.stop("centre")
    with started(site, "dispatch.toml") as process:
        assert process.stdout
        assert any('"ready"' in line for line in process.stdout)
        began_s = time.monotonic()
        process.send_signal(number)
        assert process.wait(WAIT_S_MAX) == 0
        assert time.monotonic() - began_s < 5
        assert '"stopping"' in process.stdout.read()


def test_gateways_are_taken_up_while_it_runs(site: Site) -> None:
    path = site.folder / "centre" / "gateways.toml"
    before = path.read_text()
    try:
        path.write_text(before.replace(GATEWAY, "gw-other"))
        soon(lambda: [gateway["id"] for gateway in site.centre("/api/gateways")] == ["gw-other"])
        path.write_text("[gateway.gw-1]\n")
        soon(lambda: site.lines("centre", "trouble"))
        assert [gateway["id"] for gateway in site.centre("/api/gateways")] == ["gw-other"]
    finally:
        path.write_text(before)


def test_a_broker_that_we_do_not_trust_gets_nothing(site: Site, tmp_path: Path) -> None:
    """Its certificate is good, but of another authority than ours."""
    other = tmp_path / "other"
    with Site(other, [TerminalSpec("smoke-1", "smoke", "kitchen")]) as theirs:
        theirs.start("broker")
        mistaken = dispatch_toml(site).replace(f":{broker_port(site)}", f":{broker_port(theirs)}")
        (site.folder / "centre" / "mistaken.toml").write_text(mistaken.replace("data/centre.db", "data/other.db"))
        with started(site, "mistaken.toml") as process:
            assert process.stdout
            board, said = (json.loads(process.stdout.readline()) for _ in range(2))
        assert board["what"] == "board"
        assert (said["what"], said["state"]) == ("broker", "down")
        assert "certificate verify failed" in said["detail"]


def test_a_faster_clock_needs_a_configuration_that_says_simulation(made: Site) -> None:
    path = made.folder / "centre" / "real.toml"
    path.write_text(dispatch_toml(made).replace("simulation = true", "simulation = false"))
    with pytest.raises(Told, match="simulation = true"):
        centre.run(path, clock_rate=10)


def test_a_second_centre_on_the_same_database_is_told(site: Site) -> None:
    with started(site, "dispatch.toml") as process:
        said, _ = process.communicate(timeout=WAIT_S_MAX)
    assert process.returncode == 3
    assert "centre.db" in said
    assert site.centre("/api/incidents") == []
