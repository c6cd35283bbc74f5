"""Case files: the contract's example, the project's own cases, and every wrong one refused with its place."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.words import Told
from sim.case import COUNTERS, Limit, at, load, parse
from sim.sensors import MEASURES
from sim.steps import ACTIONS, KINDS_OF_TERMINAL, LINE_FAULTS, Step, duration_ms

CASES = sorted((Path(__file__).parent.parent / "cases").glob("*.toml"))

CURVES = [curve for sensor in MEASURES.values() for curve in sensor.CURVES]
CONTRACT = """
title = "Smoke while the broker is down for 40 s"
source = "zigbee2mqtt loses the same alarm"
seed = 7
[home]
terminals = [{ id = "smoke-1", kind = "smoke", room = "kitchen", bridge = "native" }]
[[at]]
t = "30s"
broker = "down"
[[at]]
t = "35s"
smoke-1 = { curve = "smouldering" }
[[at]]
t = "75s"
broker = "up"
[[expect]]
event = { kind = "smoke", phase = "raised", terminal = "smoke-1" }
committed_within = "10s after broker up"
times = 1
"""


def parsed(text: str):
    return parse(text.encode(), "case.toml")


def test_the_example_of_the_contract() -> None:
    case = parsed(CONTRACT)
    assert case.steps == (
        Step(30_000, "broker", "down"),
        Step(35_000, "smoke-1", "smouldering"),
        Step(75_000, "broker", "up"),
    )
    assert case.expected[0].committed_within == Limit(10_000, "broker", "up")
    assert (case.seed, case.lasts_ms, case.expected[0].times) == (7, 75_000, 1)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_each_case_of_the_project_is_well_formed(path: Path) -> None:
    case = load(path)
    assert case.title
    assert case.source
    assert case.expected or case.counters or case.nothing_else


def test_there_are_cases_enough_and_no_two_are_called_the_same() -> None:
    titles = [load(path).title for path in CASES]
    assert len(titles) >= 12
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize(
    ("text", "ms"), [("250ms", 250), ("30s", 30_000), ("2m", 120_000), ("1h", 3_600_000), ("30d", 2_592_000_000)]
)
def test_durations(text: str, ms: int) -> None:
    assert duration_ms(text) == ms


@pytest.mark.parametrize("text", ["", "5", "s", "-1s", "1.5s", "1 s", "1w", "9999999999s", "1s ", "１s"])
def test_what_is_no_duration(text: str) -> None:
    assert duration_ms(text) is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('t = "30s"', 't = "soon"', "at[1].t is 'soon'"),
        ('t = "30s"', "t = 30", "at[1].t is 30"),
        ('broker = "down"', 'broker = "sideways"', "at[1].broker is 'sideways'; allowed: one of down, up, restart"),
        ('terminal = "smoke-1"', 'terminal = "smoke-9"', "terminal is 'smoke-9'; allowed: one of smoke-1"),
        ('terminal = "smoke-1"', 'room = "kitchn"', "room is 'kitchn'"),
        ('terminal = "smoke-1"', 'flags = ["nonsense"]', "flags is ('nonsense',)"),
        ('broker = "down"', 'brokr = "down"', "at[1].brokr is 'down'; allowed: as a key, one of t, smoke-1"),
        ('broker = "down"', 'smoke-2 = "dead"', "at[1].smoke-2"),
        ('broker = "down"', 'smoke = "dead"', "at[1].smoke "),
        ('broker = "down"', "forge = 0", "at[1].forge is 0"),
        ('broker = "down"', "line = { loss_pct = 101 }", "at[1].line.loss_pct is 101"),
        ('broker = "down"', "line = { burst_p_permille = 0 }", "at[1].line.burst_p_permille is 0"),
        ('broker = "down"', 'line = { stuck = "half" }', "at[1].line.stuck is 'half'"),
        ('broker = "down"', 'smoke-1 = "triplet"', "at[1].smoke-1 is 'triplet'"),
        ('broker = "down"', "line = { los = 1 }", "unknown key at[1].line.los"),
        ('broker = "down"', 'network = "gone"', "at[1].network is 'gone'; allowed: one of outage, half_open"),
        ('broker = "down"', 'network = { outage = "home" }', "at[1].network.outage is 'home'"),
        ('broker = "down"', 'network = { up = "both", latency_ms = 5 }', "unknown key at[1].network.latency_ms"),
        ('broker = "down"', 'clock = "1984"', "at[1].clock is '1984'"),
        ('broker = "down"', 'clock = { step = "1y" }', "at[1].clock.step is '1y'"),
        ('broker = "down"', "clock = { drift_ppm = 100001 }", "at[1].clock.drift_ppm is 100001"),
        ('broker = "down"', 'power = { up = "1984" }', "at[1].power.up is '1984'"),
        ('broker = "down"', 'power = { cut = "1970" }', "at[1].power.up is missing"),
        ('broker = "down"', 'smoke-1 = "press"', "at[1].smoke-1 is 'press'"),
        ("smouldering", "steam", "at[2].smoke-1.curve is 'steam'"),
        (
            'curve = "smouldering"',
            'fault = "stuck_button"',
            "at[2].smoke-1.fault is 'stuck_button'",
        ),
        ('curve = "smouldering"', 'fault = "spike", strength = 6', "at[2].smoke-1.strength is 6"),
        ('curve = "smouldering"', 'fault = "none", strength = 1', "unknown key at[2].smoke-1.strength"),
        ('curve = "smouldering"', 'fault = "spike", curve = "toast"', "unknown key at[2].smoke-1.curve"),
        ('curve = "smouldering"', 'fault = "offset", direction = "left"', "at[2].smoke-1.direction is 'left'"),
        ('kind = "smoke", room', 'kind = "toaster", room', "home.terminals[1].kind is 'toaster'"),
        ('id = "smoke-1"', 'id = "line"', "home.terminals[1].id is 'line'"),
        ('id = "smoke-1"', 'id = "Smoke"', "home.terminals[1].id"),
        ('bridge = "native"', 'bridge = "zigbee"', "home.terminals[1].bridge is 'zigbee'"),
        ('kind = "smoke", phase', 'kind = "steam", phase', "expect[1].event.kind is 'steam'"),
        ("broker up", "broker sideways", "expect[1].committed_within"),
        ("10s after", "10 after", "expect[1].committed_within"),
        ("times = 1", "times = -1", "expect[1].times is -1"),
        ("times = 1", "time = 1", "unknown key expect[1].time"),
        ("seed = 7", "seed = 7\nsped = 1", "unknown key sped"),
        ("[home]", '[home]\nclock = "1984"', "home.clock is '1984'"),
        ("seed = 7", "seed = ", "not TOML"),
        ('title = "Smoke', 'titel = "Smoke', "title is missing"),
        ("[[expect]]\nevent", '[[expect]]\ncounter = { lost = "0" }\nevent', "expect[1].counter"),
    ],
)
def test_a_wrong_case_is_told_with_file_key_value_and_what_is_allowed(old: str, new: str, said: str) -> None:
    assert old in CONTRACT
    with pytest.raises(Told) as told:
        parsed(CONTRACT.replace(old, new, 1))
    assert told.value.en.startswith("case.toml: ")
    assert said in told.value.en
    assert told.value.zh.startswith("case.toml：")


@pytest.mark.parametrize(
    ("text", "action", "values"),
    [
        ('network = "outage"', "outage", {}),
        ('network = { half_open = "centre" }', "half_open", {"of": "centre"}),
        (
            "network = { latency_ms = 500, lose_receipts_pct = 30 }",
            "faults",
            {"latency_ms": 500, "lose_receipts_pct": 30, "lose_events_pct": 0, "repeat_pct": 0},
        ),
        ('clock = "ntp"', "ntp", {}),
        ('clock = { step = "-1d" }', "step", {"ms": -86_400_000}),
        ('clock = { step = "1h" }', "step", {"ms": 3_600_000}),
        ("clock = { drift_ppm = -200 }", "drift", {"ppm": -200}),
        ('power = "cut"', "cut", {}),
        ('power = { up = "1970" }', "up", {"unset": "1970"}),
        ('disk = "rot"', "rot", {}),
    ],
)
def test_words_that_only_virtual_time_can_do(text: str, action: str, values: dict[str, int | str]) -> None:
    case = parsed(CONTRACT.replace('broker = "down"', text, 1))
    assert (case.steps[0].action, case.steps[0].values) == (action, values)
    assert case.needs_virtual_time() == case.steps[0]


def test_what_real_processes_can_do_needs_no_virtual_time() -> None:
    for step in ('agent = "pause"', 'centre = "back_up"', 'centre = "restore"'):
        assert parsed(CONTRACT.replace('broker = "down"', step, 1)).needs_virtual_time() is None
    assert parsed(CONTRACT).needs_virtual_time() is None


def test_a_sensor_fault_has_a_strength_and_a_direction_and_ends_with_none() -> None:
    def step(value: str) -> Step:
        return parsed(CONTRACT.replace('curve = "smouldering"', value)).steps[1]

    assert step('fault = "spike"') == Step(35_000, "smoke-1", "spike", {"strength": 3, "sign": 1})
    down = step('fault = "offset", strength = 5, direction = "down"')
    assert down == Step(35_000, "smoke-1", "offset", {"strength": 5, "sign": -1})
    assert step('fault = "none"') == Step(35_000, "smoke-1", "none", {})


def test_counters_take_exact_values_and_least_ones() -> None:
    text = '[[expect]]\ncounter = { forged_refused = "3", link_damaged = ">=1" }\n'
    bounds = {bound.name: (bound.least, bound.most) for bound in parsed(CONTRACT + text).counters}
    assert bounds == {"forged_refused": (3, 3), "link_damaged": (1, None)}


def test_a_missing_file_is_told() -> None:
    with pytest.raises(Told, match=r"nowhere\.toml: cannot be read"):
        load(Path("nowhere.toml"))


BRACELET = """
title = "A walk"
[home]
terminals = [{ id = "bracelet-1", kind = "bracelet", fence_m = 100 }, { id = "button-1", kind = "button" }]
[[at]]
t = "1s"
bracelet-1 = { action = "go_out", distance_m = 250 }
[[at]]
t = "2s"
bracelet-1 = "sos"
[[expect]]
event = { kind = "bracelet_sos", position = "live" }
"""


def test_a_bracelet_has_a_fence_a_walk_and_a_key() -> None:
    case = parsed(BRACELET)
    assert case.terminals[0].fence_m == 100
    assert case.steps == (
        Step(1000, "bracelet-1", "go_out", {"distance_m": 250}),
        Step(2000, "bracelet-1", "sos"),
    )
    assert case.expected[0].event == {"kind": "bracelet_sos", "position": "live"}
    assert case.needs_virtual_time() is None


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('kind = "button"', 'kind = "button", fence_m = 100', "fence_m"),
        ("fence_m = 100", "fence_m = 10", "fence_m"),
        ("fence_m = 100", 'bridge = "native"', "bridge"),
        ('"sos"', '"press"', "bracelet-1"),
        ('"go_out"', '"fly"', "bracelet-1.action"),
        ('"go_out"', '"sos"', "bracelet-1.distance_m"),
        ('position = "live"', 'position = "near"', "position"),
    ],
)
def test_what_a_bracelet_cannot_be_told_is_told(old: str, new: str, told: str) -> None:
    with pytest.raises(Told) as caught:
        parsed(BRACELET.replace(old, new, 1))
    assert told in caught.value.en


@given(st.binary(max_size=300))
def test_any_bytes_are_a_case_or_told(data: bytes) -> None:
    with pytest.raises(Told):
        parse(data, "case.toml")


@given(st.integers(0, len(CONTRACT)), st.text(alphabet='"[]{}=\n0a-', max_size=4))
def test_a_damaged_case_is_a_case_or_told(at: int, junk: str) -> None:
    with contextlib.suppress(Told):
        parsed(CONTRACT[:at] + junk + CONTRACT[at + len(junk) :])


@pytest.mark.parametrize("name", ["cases.md", "cases.zh-CN.md"])
def test_the_example_in_the_documentation_is_a_case_and_names_every_action_and_counter(name: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / name).read_text("utf-8")
    example = page.partition("```toml")[2].partition("```")[0]
    assert parse(example.encode(), name).terminals[0].id == "button-1"
    words = [*ACTIONS, *CURVES, *COUNTERS, *(word for words in ACTIONS.values() for word in words)]
    assert [name for name in LINE_FAULTS if f"{name} = " not in page] == []
    for word in words:
        assert f"`{word}`" in page or f'"{word}"' in page or word in KINDS_OF_TERMINAL, word


def test_incidents_at_the_desk_may_be_asked_for() -> None:
    step = '[[at]]\nt = "1s"\nagent = "kill"\n'
    text = (
        'incident = { kind = "gateway_lost", phase = "restored" }\ntimes = 2\nopened_within = "2m after agent kill"\n'
    )
    (found,) = parsed(CONTRACT + f"{step}[[expect]]\n{text}").incidents
    assert (found.incident, found.times) == ({"kind": "gateway_lost", "phase": "restored"}, 2)
    assert found.opened_within is not None
    assert (found.opened_within.ms, found.opened_within.target) == (120_000, "agent")
    for old, new, told in [
        ("2m after agent kill", "2m", "opened_within"),
        ("2m after agent kill", "2m after agent start", "opened_within"),
        ('"restored"', '"test"', "phase"),
        ("gateway_lost", "gateway_found", "kind"),
        ("phase =", "colour =", "unknown key"),
    ]:
        with pytest.raises(Told, match=told):
            parsed(CONTRACT + f"{step}[[expect]]\n{text.replace(old, new)}")


STILL = """
title = "stillness"
seed = 3
[home]
stillness = { begins = "22:30", day_s = 700, night = ["21:00", "05:00"] }
terminals = [{ id = "motion-1", kind = "motion" }, { id = "door-1", kind = "door" }]
[[at]]
t = "10s"
resident = "goes_out"
[[expect]]
nothing_else = true
"""


def test_what_the_resident_does_becomes_steps_of_the_terminals() -> None:
    assert parsed(STILL).steps == (
        Step(10_000, "resident", "goes_out"),
        Step(10_000, "motion-1", "pass"),
        Step(18_000, "door-1", "open"),
        Step(22_000, "door-1", "close"),
    )


def test_the_local_time_of_a_case_is_as_it_says_wherever_the_clock_is() -> None:
    rule = parsed(STILL).stillness
    assert (rule.day_ms, rule.night) == (700_000, (75_600_000, 18_000_000))
    for wall_ms in range(1_800_000_000_000, 1_800_086_400_000, 3_600_000):
        found = at(rule, wall_ms)
        assert (wall_ms + found.offset_ms) % 86_400_000 == 81_000_000
        assert -720 * 60_000 <= found.offset_ms < 720 * 60_000


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"22:30"', '"25:00"', "home.stillness.begins is '25:00'"),
        ("day_s = 700", "day_s = 7", "home.stillness.day_s is 7"),
        ("goes_out", "flies", "at[1].resident is 'flies'"),
        ('{ id = "motion-1", kind = "motion" }, ', "", "only with a motion sensor"),
    ],
)
def test_a_stillness_or_resident_that_cannot_be_is_refused(old: str, new: str, said: str) -> None:
    with pytest.raises(Told) as told:
        parsed(STILL.replace(old, new))
    assert said in told.value.en
