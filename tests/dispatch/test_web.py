"""The centre's HTTP contract over a real server, core and database, and the stream that the board lives on."""

from __future__ import annotations

import base64
import io
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from dispatch import live, web
from dispatch.clock import Clock
from dispatch.config import GatewaysFile
from dispatch.core import Core
from dispatch.desk import Desk
from dispatch.intake import Intake
from dispatch.journal import Journal
from dispatch.live import Condition
from dispatch.store import Store
from dispatch.web import Web
from protocol import envelope, topic
from protocol.envelope import SigningKey
from protocol.record import Event, EventId, Heartbeat, Stamp
from protocol.words import KINDS, Unavailable

HOSTILE = "<script>alert('厨房')</script>"


def new_key(kid: bytes) -> tuple[SigningKey, str]:
    """A signing key and its public half in base64."""
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return envelope.signing_key(pem, kid), base64.b64encode(private.public_key().public_bytes_raw()).decode()


@dataclass
class Running:
    """A centre without its broker: what would come over MQTT is put into the core's inbox, what would go is kept."""

    web: Web
    core: Core
    signer: SigningKey
    http: httpx.Client
    published: list[tuple[str, bytes]]
    sequence: int = 0

    def beat(self) -> None:
        beat = Heartbeat("gw-1", 7, Stamp(int(time.time() * 1000), 1000, 1, "synchronised"), "0", 1, 0, 0, 1, 0)
        sealed = envelope.seal(beat.to_record(), self.signer, topic.context(topic.HEARTBEAT))
        self.core.inbox.put(topic.build("gw-1", topic.HEARTBEAT), sealed)
        while self.http.get("/api/gateways").json()[0]["state"] == "never":
            time.sleep(0.01)

    def send(self, kind: str = "smoke", severity: str = "life", room: str = "kitchen", wait: bool = True) -> None:
        self.sequence += 1
        number = EventId(1, self.sequence)
        time_ = Stamp(int(time.time() * 1000), 1000, 1, "synchronised")
        event = Event("gw-1", number, number, kind, "raised", severity, "held", f"{kind}-{self.sequence}", room, time_)
        sealed = envelope.seal(event.to_record(), self.signer, topic.context(topic.ALARM))
        self.core.inbox.put(topic.build("gw-1", topic.ALARM), sealed)
        while wait and self.http.get("/api/counters").json()["events_committed"] < self.sequence:
            time.sleep(0.01)

    @contextmanager
    def events(self) -> Iterator[Iterator[tuple[str, Any]]]:
        with self.http.stream("GET", "/events") as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            yield parsed(response.iter_lines())


def parsed(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    name = ""
    for line in lines:
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    signer, public = new_key(b"gw-1")
    (tmp_path / "gateways.toml").write_text(f'[gateway.gw-1]\nkey = "{public}"\nhome = "幸福里 <b>3</b>"\n')
    clock = Clock()
    gateways = GatewaysFile(tmp_path / "gateways.toml")
    store = Store(tmp_path / "centre.db")
    desk = Desk(store, gateways.homes(), clock.now())
    intake = Intake(store, gateways.keys(), new_key(b"centre")[0], desk)
    journal = Journal(True, clock.now, io.StringIO())
    published: list[tuple[str, bytes]] = []

    def publish(topic: str, payload: bytes) -> bool:
        published.append((topic, payload))
        return True

    core = Core(store, desk, intake, gateways, clock, journal, publish)
    server = Web(("127.0.0.1", 0), core.inbox.ask, lambda: Condition(True, 1, core.inbox.counters))
    core.changed = server.changed
    core.start()
    server.start()
    with httpx.Client(base_url=server.url, timeout=10) as client:
        yield Running(server, core, signer, client, published)
    server.close()
    assert core.stop(5)
    journal.close()


def test_the_contract_answers_before_and_after_an_incident(running: Running) -> None:
    assert running.http.get("/api/incidents").json() == []
    assert running.http.get("/api/alarms").json() == []
    running.send()
    (incident,) = running.http.get("/api/incidents").json()
    assert (incident["kind"], incident["severity"], incident["phase"]) == ("smoke", "life", "raised")
    assert incident["home"] == "幸福里 <b>3</b>"
    assert 17 * 60 < incident["remaining_s"] <= 18 * 60
    assert running.http.get(f"/api/incidents/{incident['id']}").json()["events"] == incident["events"]
    (alarm,) = running.http.get("/api/alarms").json()
    assert alarm["event_id"] == "gw-1/1-1"
    (gateway,) = running.http.get("/api/gateways").json()
    assert (gateway["id"], gateway["state"]) == ("gw-1", "never")


def test_the_resident_is_told_that_the_centre_calls_when_the_desk_says_so(running: Running) -> None:
    running.send()
    (incident,) = running.http.get("/api/incidents").json()
    path = f"/api/incidents/{incident['id']}/calling"
    answer = running.http.post(path, json={})
    assert (answer.status_code, set(answer.json()["error"])) == (409, {"en", "zh"})  # the gateway was never heard
    running.beat()
    assert running.http.post("/api/incidents/99/calling", json={}).status_code == 404
    assert running.http.post(f"/api/incidents/{2**80}/calling", json={}).status_code == 404
    assert running.http.post(path).status_code == 415  # as a foreign page's form would
    assert running.http.post(path, data={"a": "b"}).status_code == 415
    assert running.http.get(path).status_code == 405
    commands = topic.build("gw-1", topic.COMMAND)
    assert commands not in [name for name, _ in running.published]
    answer = running.http.post(path, json={})
    assert (answer.status_code, answer.json()) == (200, {"sent": True})
    assert running.http.get("/api/counters").status_code == 200  # what an answer leaves to be sent is sent by the next
    assert [name for name, _ in running.published].count(commands) == 1


def test_what_is_not_there_or_not_allowed_is_refused_in_both_languages(running: Running) -> None:
    for path, status in {
        "/api/incidents/999": 404,
        f"/api/incidents/{2**80}": 404,
        "/api/alarms?limit=0": 400,
        "/api/alarms?limit=x": 400,
        "/api/alarms?limit=999999999": 400,
    }.items():
        answer = running.http.get(path)
        assert answer.status_code == status, path
        assert set(answer.json()["error"]) == {"en", "zh"}
    assert running.http.get("/api/incidents/first").status_code == 404
    assert running.http.post("/api/incidents").status_code == 405


def test_a_stream_begins_with_the_whole_picture_and_follows_each_change(running: Running) -> None:
    running.send("smoke")
    with running.events() as events:
        name, first = next(events)
        assert name == "snapshot"
        assert [i["kind"] for i in first["incidents"]] == ["smoke"]
        assert first["broker"] is True
        began_s = time.monotonic()
        running.send("flood", "property", wait=False)
        name, second = next(events)
        assert time.monotonic() - began_s < 1.0
        assert {i["kind"] for i in second["incidents"]} == {"smoke", "flood"}


def test_changes_close_together_go_out_as_few_snapshots_and_the_last_is_whole(running: Running) -> None:
    with running.events() as events:
        next(events)
        for _ in range(40):
            running.send("button", wait=False)
        seen = 0
        for _, snapshot in events:
            seen += 1
            if len(snapshot["incidents"]) == 40:
                break
        assert seen <= 5


def test_a_quiet_stream_says_that_it_lives(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "ALIVE_S", 0.1)
    with running.events() as events:
        assert next(events)[0] == "snapshot"
        assert next(events) == ("alive", {"answering": True})


def test_a_hanging_database_is_told_and_hangs_no_page(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "ALIVE_S", 0.1)
    monkeypatch.setattr(live, "ANSWER_S_MAX", 0.3)
    release = threading.Event()
    with running.events() as events:
        next(events)
        running.core.inbox.ask(lambda desk, now: release.wait(20))
        running.web.changed()
        assert running.http.get("/api/incidents").status_code == 503
        assert running.http.get("/").status_code == 200
        assert any(data == {"answering": False} for name, data in events if name == "alive")
        release.set()
        assert any(name == "snapshot" for name, _ in events)
    assert running.http.get("/api/incidents").status_code == 200


def test_a_client_that_reads_nothing_delays_nobody(running: Running) -> None:
    host, port = running.web.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        deaf.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for _ in range(30):
            running.send("gas", wait=False)
        with running.events() as events:
            assert any(len(snapshot["incidents"]) == 30 for _, snapshot in events)


def test_more_screens_than_allowed_are_turned_away_and_places_come_free(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LISTENERS_MAX", 1)
    with running.events() as events:
        next(events)
        assert running.http.get("/events").status_code == 503
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with running.http.stream("GET", "/events") as response:
            if response.status_code == 200:
                return
        time.sleep(0.05)
    pytest.fail("the place did not come free")


def test_hostile_names_stay_text(running: Running) -> None:
    running.send(room=HOSTILE)
    answer = running.http.get("/api/incidents")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()[0]["room"] == HOSTILE
    with running.events() as events:
        assert next(events)[1]["incidents"][0]["room"] == HOSTILE
    for script in web.PAGE.glob("*.js"):  # the page has no way to make HTML of what it is sent
        code = script.read_text()
        assert not any(
            way in code for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(")
        )


def test_a_room_with_line_breaks_cannot_end_an_event_of_the_stream(running: Running) -> None:
    running.send(room="a\n\nevent: alive\ndata: {}\n\n")
    with running.events() as events:
        name, snapshot = next(events)
    assert name == "snapshot"
    assert snapshot["incidents"][0]["room"].startswith("a\n\n")


def test_every_answer_forbids_foreign_content_framing_and_caching(running: Running) -> None:
    for path in ("/", "/page/board.js", "/page/board.css", "/api/words", "/api/incidents", "/nowhere"):
        headers = running.http.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; "), path
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


def test_the_page_needs_nothing_from_elsewhere(running: Running) -> None:
    assert "text/html" in running.http.get("/").headers["content-type"]
    for file in web.PAGE.iterdir():
        assert running.http.get(f"/page/{file.name}").status_code == 200
        addresses = re.findall(r"https?://[^\"'\s)]+", file.read_text())
        assert all(address.startswith("http://www.w3.org/") for address in addresses), file  # names, not places


def test_nothing_outside_the_page_folder_is_served(running: Running) -> None:
    for path in ("/page/../web.py", "/page/%2e%2e/web.py", "/page//etc/passwd", "/page/"):
        assert running.http.get(path).status_code == 404, path


def test_another_host_name_is_refused(running: Running) -> None:
    """A page elsewhere whose name is made to point at this machine must not read alarms."""
    assert running.http.get("/api/incidents", headers={"Host": "evil.example"}).status_code == 400
    for host in ("localhost:8600", "127.0.0.1", "[::1]:8600"):
        assert running.http.get("/api/incidents", headers={"Host": host}).status_code == 200, host


def test_the_words_are_those_of_the_protocol(running: Running) -> None:
    words = running.http.get("/api/words").json()
    assert set(words["kinds"]) == set(KINDS)
    assert words["kinds"]["smoke"] == {"severity": "life", "en": "smoke", "zh": "烟雾"}
    assert words["phases"]["restored"] == {"en": "restored", "zh": "恢复"}


def test_an_address_in_use_is_told(running: Running) -> None:
    host, port = running.web.url.removeprefix("http://").split(":")
    with pytest.raises(Unavailable, match="cannot listen there"):
        Web((host, int(port)), running.core.inbox.ask, lambda: Condition(True, 1, {}))
