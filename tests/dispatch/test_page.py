"""The board in a real browser: what homes and gateways say stays text, and a person finds what is needed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from dispatch.core import Question
from dispatch.desk import Desk
from dispatch.live import Condition
from dispatch.sketch import Place
from dispatch.store import Store
from dispatch.web import Web
from protocol.record import Event, EventId, Heartbeat, Now, Sent, Stamp
from protocol.words import severity_of
from sixkit_tools.browser import Browser, chromium

pytestmark = pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine")

NOW = Now(1_790_000_000_000, 60_000)
HOSTILE = "<img src=x onerror=\"document.title='stolen'\"><script>document.title='stolen'</script>"
HOMES = {"gw-1": f"幸福里 3 号楼 {HOSTILE}", "gw-2": "Lane 4"}


class Centre:
    """A desk behind a real server; what it says is put there without a broker."""

    def __init__(self, folder: Path):
        self.store = Store(folder / "centre.db")
        self.desk = Desk(self.store, HOMES, NOW)
        self.desk.places = {"gw-1": Place(399_990_000, 1_163_850_000, 100)}
        self.web = Web(("127.0.0.1", 0), self.ask, lambda: Condition(True, 1, {}))
        self._lock = threading.Lock()
        self._sequence = 0

    def ask(self, question: Question) -> Future[Any]:
        future: Future[Any] = Future()
        with self._lock:
            future.set_result(question(self.desk, NOW))
        return future

    def event(self, kind: str, gateway: str = "gw-1", room: str = "厨房", **more: Any) -> None:
        self._sequence += 1
        number, severity = EventId(1, self._sequence), severity_of(kind)
        time, terminal = Stamp.of(NOW, boot=1), more.pop("terminal", f"{kind}-1")
        found = Event(gateway, number, number, kind, "raised", severity, "held", terminal, room, time, **more)
        with self._lock, self.store.transaction():
            incident, _ = self.desk.place(found, number, False, NOW)
            self.store.insert(Sent(found, 1, 0), number, False, NOW.wall_ms, incident, b"")
        self.web.changed()


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    built = Centre(tmp_path_factory.mktemp("centre"))
    built.web.start()
    with built.store.transaction():
        built.desk.heard(Heartbeat("gw-1", 1, Stamp.of(NOW, 1), HOSTILE[:64], 5, 0, 0, 6, 0), NOW)
    built.event("button", room=HOSTILE[:64], terminal=HOSTILE[:64], evidence={HOSTILE[:64]: 1, "presses": 3})
    built.event(HOSTILE[:64], gateway="gw-2", flags=(HOSTILE[:64], "unverified", "suspect"))
    built.event("bracelet_sos", position=(400_010_000, 1_163_850_000, 5_000, 55, 1, 9))
    yield built
    built.web.close()
    built.store.close()


@pytest.fixture(scope="module")
def page(centre: Centre) -> Iterator[Browser]:
    with Browser("zh", (1280, 900)) as browser:
        browser.open(centre.web.url)
        browser.until("document.querySelector('#home_body .pieces') !== null")
        yield browser


def texts(page: Browser, selector: str) -> list[str]:
    found = page.ask(f"JSON.stringify([...document.querySelectorAll({json.dumps(selector)})].map(e => e.textContent))")
    return list(json.loads(found))


def test_what_came_over_the_wire_stays_text(page: Browser) -> None:
    page.ask("document.querySelectorAll('details').forEach(one => one.open = true)")
    shown = page.ask("document.body.textContent")
    assert shown.count(HOSTILE[:64]) >= 6  # room, terminal, kind, version, evidence, flag
    assert HOSTILE in shown  # the home's name
    assert page.ask("document.querySelectorAll('img, script:not([src])').length") == 0
    assert "stolen" not in page.ask("document.title")


def test_nothing_may_make_html_of_text_or_run_what_is_not_its_own(page: Browser) -> None:
    assert page.ask("try { document.body.innerHTML = '<b>x</b>'; 'taken' } catch (e) { e.name }") == "TypeError"
    refused = (
        "new Promise(done => { addEventListener('securitypolicyviolation', e => done(e.effectiveDirective)); %s })"
    )
    assert page.ask(refused % "fetch('http://127.0.0.2:1/').catch(() => {})") == "connect-src"
    assert page.ask(refused % "document.body.setAttribute('style', 'color: red')") == "style-src-attr"
    assert (
        page.ask(refused % "document.body.append(new Image(1, 1)); document.images[0].src = '//127.0.0.2:1/'")
        == "img-src"
    )
    page.ask("document.images[0].remove()")


def test_a_call_shows_how_often_in_which_doubt_and_where(page: Browser) -> None:
    assert "共 3 次" in texts(page, "#life .mark.times")
    assert set(texts(page, "#life .mark.doubt")) == {"未验证 · 核实后出动", "传感器可疑"}
    assert texts(page, ".coordinates code") == ["40.001000, 116.385000"]
    assert texts(page, ".from_home") == ["距家 222 米，在家的北面（0°）"]
    assert "GCJ-02" in texts(page, ".datum")[0]
    assert texts(page, ".sketch .fence + .house + .label") == ["家"]


def test_the_positions_of_a_walk_are_numbered_with_their_ages(centre: Centre, page: Browser) -> None:
    centre.event("fence_exit", gateway="gw-2", position=(400_010_000, 1_163_850_000, 125_000))
    centre.event("fence_exit", gateway="gw-2", position=(400_020_000, 1_163_850_000, 0))
    page.until("document.querySelector('.before') !== null")
    assert texts(page, ".where .before") == ["1: 2 分钟 5 秒前"]
    assert texts(page, ".where:has(.before) .sketch .label:not([text-anchor], .bar + *)") == ["1", "2"]


def test_a_new_incident_is_read_out_and_moves_no_focus(centre: Centre, page: Browser) -> None:
    page.ask("document.querySelector('#life .call').focus()")
    before = page.ask("document.activeElement.closest('.card').dataset.incident")
    centre.event("smoke", gateway="gw-2")
    page.until("document.getElementById('announce').textContent.includes('烟雾')")
    assert texts(page, "[role=alert][aria-live=assertive]") == ["新警情：烟雾，Lane 4，厨房"]
    assert page.ask("document.activeElement.closest('.card')?.dataset.incident") == before


def test_a_home_is_found_by_name_and_opened_with_the_keyboard_alone(page: Browser) -> None:
    page.ask("document.getElementById('seek').focus()")
    page.call("Input.insertText", text="lane 4")
    page.until("document.querySelectorAll('#homes .pick').length === 1")
    for key, code in (("Tab", 9), ("Enter", 13)):
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if (key, kind) == ("Enter", "keyDown") else {}
            page.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **text)
    page.until("document.getElementById('home_title').textContent === 'Lane 4'")
    assert page.ask("document.activeElement.id") == "home_title"
    page.ask("document.getElementById('home_close').click()")


def test_the_page_speaks_the_browsers_language_and_the_other_at_a_press(page: Browser) -> None:
    assert page.ask("document.documentElement.lang") == "zh-CN"
    page.ask("document.getElementById('language').click()")
    assert page.ask("document.documentElement.lang") == "en"
    assert "3 times" in texts(page, "#life .mark.times")
    assert page.ask("document.body.textContent.includes('undefined')") is False
    page.ask("document.getElementById('language').click()")


def test_on_a_phone_nothing_is_wider_than_the_screen(page: Browser) -> None:
    page.call("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=1, mobile=False)
    assert page.ask("document.documentElement.scrollWidth") <= 360


def test_a_call_that_no_gateway_takes_says_so(page: Browser) -> None:
    """gw-2 was never heard."""
    page.ask(
        "[...document.querySelectorAll('#life .card')].find(c => c.textContent.includes('Lane 4'))"
        ".querySelector('.call').click()"
    )
    page.until("[...document.querySelectorAll('.calling .result')].some(r => r.textContent.includes('网关无应答'))")
