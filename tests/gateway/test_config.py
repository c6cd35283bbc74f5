"""gateway.toml as the installer writes it: read whole, or told what is wrong, where, and what is allowed."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import config
from gateway.home.fence import Fence
from gateway.home.stillness import ORDINARY, Rule
from protocol.words import Told

GATEWAY = """
gateway = "gw-1"
identity = "identity.key"
centre = "centre.pub"
terminals = "terminals.toml"
[[uplink]]
kind = "mqtt"
brokers = ["broker.example:8883", "[::1]:8884"]
ca = "ca.pem"
certificate = "uplink.pem"
key = "uplink.key"
[[bridge]]
id = "native"
kind = "native"
port = "/dev/ttyUSB0"
"""
TERMINALS = f"""
[[terminal]]
id = "smoke-1"
kind = "smoke"
room = "厨房"
bridge = "native"
address = 1001
key = "{"0a" * 32}"
"""


@pytest.fixture
def written(tmp_path):
    def write(gateway=GATEWAY, terminals=TERMINALS):
        (tmp_path / "terminals.toml").write_text(terminals)
        path = tmp_path / "gateway.toml"
        path.write_text(gateway)
        return path

    return write


def test_reads_what_is_there_and_fills_in_the_rest(written, tmp_path):
    found = config.load(written())
    assert found.gateway == "gw-1"
    assert found.uplinks[0].brokers == (("broker.example", 8883), ("::1", 8884))
    assert found.uplinks[0].ca == tmp_path / "ca.pem"
    assert found.bridges[0].baud == 115200
    assert found.terminals[0].room == "厨房"
    assert found.terminals[0].key == bytes([10]) * 32
    assert found.terminals[0].silence_s_max == 200
    assert (found.language, found.heartbeat_s, found.simulation) == ("zh", 30, False)
    assert found.siren.command == ()


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ('gateway = "gw-1"', 'gateway = "GW 1"', ["gateway", "GW 1", "[a-z0-9-]"]),
        ('"broker.example:8883"', '"broker.example"', ["uplink[1].brokers", "broker.example", "host:port"]),
        ('"broker.example:8883"', '"broker.example:99999"', ["uplink[1].brokers", "99999"]),
        ('kind = "mqtt"', 'kind = "smtp"', ["uplink[1].kind", "smtp", "mqtt"]),
        ('port = "/dev/ttyUSB0"', "baud = 9", ["bridge[1].port", "missing"]),
        ('identity = "identity.key"', "", ["identity", "missing"]),
        ("[[uplink]]", "speed = 3\n[[uplink]]", ["unknown key speed"]),
        ("[[uplink]]", '[siren]\ndriver = "command"\n[[uplink]]', ["siren.command"]),
        ("[[uplink]]", "heartbeat_s = 1\n[[uplink]]", ["heartbeat_s", "5 to 3600"]),
    ],
)
def test_a_wrong_value_is_told_with_file_key_value_and_what_is_allowed(written, old, new, names):
    with pytest.raises(Told) as caught:
        config.load(written(GATEWAY.replace(old, new, 1)))
    for name in ["gateway.toml", *names]:
        assert name in caught.value.en


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ('kind = "smoke"', 'kind = "tamper"', ["terminal[1].kind", "smoke"]),
        ('bridge = "native"', 'bridge = "zigbee"', ["terminal[1].bridge", "zigbee", "native"]),
        ("address = 1001", "address = 0", ["terminal[1].address"]),
    ],
)
def test_a_wrong_terminal_is_told(written, old, new, names):
    with pytest.raises(Told) as caught:
        config.load(written(terminals=TERMINALS.replace(old, new, 1)))
    for name in ["terminals.toml", *names]:
        assert name in caught.value.en


def test_a_wrong_key_is_told_without_showing_it(written):
    with pytest.raises(Told) as caught:
        config.load(written(terminals=TERMINALS.replace("0a0a", "zz0a", 1)))
    assert "terminal[1].key" in caught.value.en
    assert "0a0a" not in caught.value.en + caught.value.zh


def test_an_uplink_leads_to_the_one_centre_or_to_one_of_its_own(written, tmp_path):
    block = GATEWAY[GATEWAY.index("[[uplink]]") : GATEWAY.index("[[bridge]]")]
    found = config.load(written(GATEWAY + block + 'centre = "other.pem"\n'))
    assert [one.centre for one in found.uplinks] == [tmp_path / "centre.pub", tmp_path / "other.pem"]
    with pytest.raises(Told, match="9 uplinks"):
        config.load(written(GATEWAY + 8 * block))
    with pytest.raises(Told, match="0 uplinks"):
        config.load(written("uplink = []\n" + GATEWAY.replace(block, "")))


def test_two_terminals_cannot_share_an_id_or_an_address(written):
    with pytest.raises(Told, match="two terminals with id smoke-1"):
        config.load(written(terminals=TERMINALS + TERMINALS))
    with pytest.raises(Told, match="two terminals with address native/1001"):
        config.load(written(terminals=TERMINALS + TERMINALS.replace("smoke-1", "smoke-2")))


BRACELET = """
[[bridge]]
id = "worn"
kind = "bracelet"
port = "/dev/ttyUSB1"
"""
WORN = """
[[terminal]]
id = "bracelet-1"
kind = "bracelet"
bridge = "worn"
fence = { latitude = 39.999, longitude = 116, radius_m = 200 }
"""


def test_a_bracelet_has_a_port_of_its_own_and_perhaps_a_fence_but_no_key(written):
    found = config.load(written(GATEWAY + BRACELET, TERMINALS + WORN))
    assert (found.bridges[1].kind, found.bridges[1].baud) == ("bracelet", 9600)
    assert found.terminals[1].fence == Fence(399_990_000, 1_160_000_000, 200)
    assert (found.terminals[1].address, found.terminals[1].key) == (0, b"")
    without = WORN.replace("fence", "#")
    assert config.load(written(GATEWAY + BRACELET, TERMINALS + without)).terminals[1].fence is None


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ('kind = "bracelet"', 'kind = "smoke"', ["terminal[2].kind", "bracelet"]),
        ('bridge = "worn"', 'bridge = "native"', ["terminal[2].kind", "smoke"]),
        ('bridge = "worn"', 'bridge = "worn"\naddress = 1', ["unknown key terminal[2].address"]),
        ("latitude = 39.999", "latitude = 91", ["terminal[2].fence.latitude", "from -90 to 90"]),
        ("latitude = 39.999", "latitude = nan", ["terminal[2].fence.latitude"]),
        ("latitude = 39.999", 'latitude = "39"', ["terminal[2].fence.latitude", "a number"]),
        ("radius_m = 200", "radius_m = 10", ["terminal[2].fence.radius_m"]),
        ("radius_m = 200", "radius_m = 200, shape = 1", ["unknown key terminal[2].fence.shape"]),
        (WORN, "", ["no terminal has bridge worn"]),
        (WORN, WORN + WORN.replace("bracelet-1", "bracelet-2"), ["two terminals with address worn/0"]),
    ],
)
def test_a_wrong_bracelet_is_told(written, old, new, names):
    with pytest.raises(Told) as caught:
        config.load(written(GATEWAY + BRACELET, TERMINALS + WORN.replace(old, new, 1)))
    for name in names:
        assert name in caught.value.en


def test_a_terminal_may_have_a_day_since_which_it_is_there(written):
    assert config.load(written()).terminals[0].installed_ms is None
    found = config.load(written(terminals=TERMINALS + 'installed = "2026-03-01"'))
    assert found.terminals[0].installed_ms == 1_772_323_200_000


@pytest.mark.parametrize("day", ['"2026-02-30"', '"yesterday"', '"2026-03-01T00:00"', '""', "2026-03-01"])
def test_another_day_is_told(written, day):
    with pytest.raises(Told, match=r"terminal\[1\].installed"):
        config.load(written(terminals=f"{TERMINALS}installed = {day}"))


def test_a_missing_or_broken_file_is_told(tmp_path, written):
    with pytest.raises(Told, match="cannot be read"):
        config.load(tmp_path / "nowhere.toml")
    with pytest.raises(Told, match="not TOML"):
        config.load(written(gateway="gateway = ["))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_told_about(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("config") / "gateway.toml"
    path.write_bytes(data)
    with pytest.raises(Told):
        config.load(path)


def test_the_sample_here_is_toml_itself():
    assert tomllib.loads(GATEWAY)["gateway"] == "gw-1"


def test_without_a_section_nothing_tells_of_the_supply(written):
    assert config.load(written()).power == config.PowerConfig()
    assert config.load(written()).chime.command == ()


def test_a_source_of_the_supply_has_its_path_and_its_limits(written, tmp_path):
    found = config.load(written(GATEWAY + '[power]\ndriver = "sysfs"\ndebounce_s = 0\nlow_pct = 35\n')).power
    assert found == config.PowerConfig("sysfs", Path("/sys/class/power_supply"), None, False, 0, 35)
    text = '[power]\ndriver = "gpio"\npath = "/sys/class/gpio/gpio6/value"\nbackup = "low"\nactive_low = true\n'
    found = config.load(written(GATEWAY + text)).power
    assert found == config.PowerConfig("gpio", Path("/sys/class/gpio/gpio6/value"), tmp_path / "low", True)
    found = config.load(written(GATEWAY + '[power]\ndriver = "file"\npath = "power"\n')).power
    assert (found.driver, found.path, found.debounce_s, found.low_pct) == ("file", tmp_path / "power", 2, 20)


@pytest.mark.parametrize(
    ("power", "names"),
    [
        ('driver = "i2c"', ["power.driver", "i2c", "sysfs"]),
        ('driver = "gpio"', ["power.path", "missing"]),
        ('driver = "sysfs"\nactive_low = true', ["unknown key", "active_low"]),
        ('driver = "sysfs"\ndebounce_s = 91', ["power.debounce_s", "0 to 90"]),
        ('driver = "sysfs"\nlow_pct = 91', ["power.low_pct", "1 to 90"]),
        ('driver = "sysfs"\nlow_pct = 0', ["power.low_pct", "1 to 90"]),
    ],
)
def test_a_wrong_source_of_the_supply_is_told(written, power, names):
    with pytest.raises(Told) as caught:
        config.load(written(f"{GATEWAY}[power]\n{power}\n"))
    for name in names:
        assert name in caught.value.en


def test_stillness_is_ordinary_where_nothing_is_said(written):
    assert config.load(written()).stillness == ORDINARY
    assert config.load(written(GATEWAY + "[stillness]\n")).stillness == ORDINARY


def test_stillness_as_configured(written):
    text = '[stillness]\nday_s = 7200\nnight_s = 28800\nanswer_s = 60\naway_s = 300\nnight = ["23:30", "06:05"]\n'
    found = config.load(written(GATEWAY + text + "utc_offset_min = -90\n")).stillness
    night = (84_600_000, 21_900_000)
    assert found == Rule(7_200_000, 28_800_000, 60_000, 300_000, night, -5_400_000)


def test_a_day_longer_than_the_ordinary_night_makes_the_night_as_long(written):
    assert config.load(written(GATEWAY + "[stillness]\nday_s = 40000\n")).stillness.night_ms == 40_000_000


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("day_s = 599", ["stillness.day_s", "600 to 172800"]),
        ("night_s = 14399", ["stillness.night_s", "14400 to 172800"]),
        ("answer_s = 29", ["stillness.answer_s", "30 to 1800"]),
        ("away_s = 59", ["stillness.away_s", "60 to 7200"]),
        ("utc_offset_min = 841", ["stillness.utc_offset_min", "-720 to 840"]),
        ('night = ["22:00"]', ["stillness.night", "22:00", "07:00"]),
        ('night = ["22:00", "22:00"]', ["stillness.night"]),
        ('night = ["24:00", "07:00"]', ["stillness.night"]),
        ('night = ["22:60", "07:00"]', ["stillness.night"]),
        ("nap = 1", ["stillness.nap"]),
    ],
)
def test_a_stillness_that_cannot_be_is_refused(written, line, names):
    with pytest.raises(Told) as told:
        config.load(written(GATEWAY + f"[stillness]\n{line}\n"))
    assert all(name in told.value.en for name in names), told.value.en
