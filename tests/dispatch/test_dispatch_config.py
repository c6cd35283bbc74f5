"""What dispatch.toml and gateways.toml may say, and what is said of them when they are wrong."""

from __future__ import annotations

import base64
import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch import config
from dispatch.config import GatewaysFile
from protocol.words import Told

KEY = base64.b64encode(bytes(range(32))).decode()
GOOD = """
broker = "localhost:8883"
ca = "ca.pem"
certificate = "dispatch.pem"
key = "dispatch.key"
identity = "centre.key"
gateways = "gateways.toml"
"""
GATEWAYS = f'[gateway.gw-1]\nkey = "{KEY}"\nhome = "幸福里 3-2-501"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("ca.pem", "dispatch.pem", "dispatch.key", "centre.key"):
        (tmp_path / name).touch()
    (tmp_path / "gateways.toml").write_text(GATEWAYS)
    (tmp_path / "dispatch.toml").write_text(GOOD)
    return tmp_path


def told(folder: Path, text: str) -> Told:
    (folder / "dispatch.toml").write_text(text)
    with pytest.raises(Told) as caught:
        config.load(folder / "dispatch.toml")
    assert str(folder / "dispatch.toml") in caught.value.en
    assert str(folder / "dispatch.toml") in caught.value.zh
    return caught.value


def test_paths_are_relative_to_the_file_and_the_rest_has_defaults(folder: Path) -> None:
    found = config.load(folder / "dispatch.toml")
    assert found.ca == folder / "ca.pem"
    assert found.database == folder / "data" / "centre.db"
    assert found.brokers == (("localhost", 8883),)
    assert found.http == ("127.0.0.1", 8600)
    assert not found.simulation


def test_several_brokers_are_tried_in_the_order_given(folder: Path) -> None:
    text = GOOD.replace('"localhost:8883"', '["one.example:8883", "[::1]:1883"]')
    (folder / "dispatch.toml").write_text(text)
    assert config.load(folder / "dispatch.toml").brokers == (("one.example", 8883), ("::1", 1883))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (('"localhost:8883"', '"localhost"'), ["broker", "localhost", "host:port"]),
        (('"localhost:8883"', '"localhost:0"'), ["broker", "localhost:0", "host:port"]),
        (('"localhost:8883"', "[]"), ["broker", "[]", "at least one"]),
        (('"localhost:8883"', "8883"), ["broker", "8883", "list"]),
        (('"ca.pem"', '"gone.pem"'), ["ca", "gone.pem", "a file that exists"]),
        (('"centre.key"', "7"), ["identity", "7", "text"]),
        (('ca = "ca.pem"\n', ""), ["ca", "missing"]),
        (("\nca =", '\nhttp = "0.0.0.0:8600"\nca ='), ["http", "0.0.0.0:8600", "loopback"]),
        (("\nca =", '\nhttp = "board.example:80"\nca ='), ["http", "board.example:80", "loopback"]),
        (("\nca =", '\nsimulation = "yes"\nca ='), ["simulation", "yes", "true or false"]),
        (("\nca =", "\nlistening = 1\nca ="), ["listening", "unknown key"]),
    ],
)
def test_a_wrong_value_is_told_with_its_key_and_what_is_allowed(
    folder: Path, change: tuple[str, str], named: list[str]
) -> None:
    error = told(folder, GOOD.replace(*change))
    for word in named:
        assert word in error.en


def test_a_file_that_is_missing_or_not_toml_is_told(folder: Path) -> None:
    told(folder, "broker = ")
    with pytest.raises(Told, match=r"nowhere\.toml: cannot be read"):
        config.load(folder / "nowhere.toml")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_configuration_or_told(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(data)
    for read in (config.load, config.gateways):
        with suppress(Told):
            read(path)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[gateway.gw-1]\nkey = "AAAA"\n', "gateway.gw-1.key"),
        (f'[gateway.gw-1]\nkey = "{KEY}"\nkeys = 1\n', "gateway.gw-1.keys"),
        (f'[gateway."GW 1"]\nkey = "{KEY}"\n', "GW 1"),
        (f'[gateway.gw-1]\nkey = "{KEY}"\nhome = "{"x" * 201}"\n', "gateway.gw-1.home"),
        ("[gateways]\n", "gateway"),
    ],
)
def test_a_wrong_gateway_is_told_by_its_name(folder: Path, text: str, named: str) -> None:
    (folder / "gateways.toml").write_text(text)
    with pytest.raises(Told) as caught:
        config.gateways(folder / "gateways.toml")
    assert named in caught.value.en


def rewrite(path: Path, text: str) -> None:
    path.write_text(text)
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1_000_000_000))  # a later moment, however coarse the disk's clock


def test_gateways_are_read_again_when_the_file_changes(folder: Path) -> None:
    file = GatewaysFile(folder / "gateways.toml")
    assert file.homes() == {"gw-1": "幸福里 3-2-501"}
    assert not file.refresh()
    rewrite(folder / "gateways.toml", GATEWAYS + f'[gateway.gw-2]\nkey = "{KEY}"\n')
    assert file.refresh()
    assert set(file.keys()) == {b"gw-1", b"gw-2"}
    assert not file.refresh()


@pytest.mark.parametrize("number", ["1" * 5000, "0x" + "f" * 5000])
def test_a_number_with_too_many_digits_is_told(folder: Path, number: str) -> None:
    file = GatewaysFile(folder / "gateways.toml")
    rewrite(folder / "gateways.toml", f"[gateway.gw-1]\nkey = {number}\n")
    with pytest.raises(Told, match=r"gateways\.toml"):
        file.refresh()
    assert set(file.known) == {"gw-1"}


def test_a_broken_edit_is_told_once_and_keeps_the_gateways_that_were_known(folder: Path) -> None:
    file = GatewaysFile(folder / "gateways.toml")
    rewrite(folder / "gateways.toml", "[gateway.gw-1]\nkey = 1\n")
    with pytest.raises(Told, match=r"gateway\.gw-1\.key"):
        file.refresh()
    assert set(file.known) == {"gw-1"}
    assert not file.refresh()
    (folder / "gateways.toml").unlink()
    with pytest.raises(Told, match="cannot be read"):
        file.refresh()
    assert set(file.known) == {"gw-1"}


def test_a_home_may_say_where_it_is(folder: Path) -> None:
    path = folder / "gateways.toml"
    assert GatewaysFile(path).places() == {}
    path.write_text(GATEWAYS + "place = { latitude = 39.999, longitude = -116, fence_m = 100 }\n")
    assert GatewaysFile(path).places() == {"gw-1": (399_990_000, -1_160_000_000, 100)}
    path.write_text(GATEWAYS + "place = { latitude = 39.999, longitude = 116.385 }\n")
    assert GatewaysFile(path).places()["gw-1"].fence_m == 0


@pytest.mark.parametrize(
    "place",
    [
        "[39.9, 116.4]",
        "{ latitude = 116.4, longitude = 39.9 }",
        "{ latitude = 39.9 }",
        "{ latitude = nan, longitude = 1 }",
        "{ latitude = 39.9, longitude = 116.4, fence_m = 10 }",
        "{ latitude = 39.9, longitude = 116.4, crs = 'GCJ-02' }",
    ],
)
def test_a_place_that_is_not_on_earth_or_not_understood_is_told(folder: Path, place: str) -> None:
    (folder / "gateways.toml").write_text(GATEWAYS + f"place = {place}\n")
    with pytest.raises(Told, match="place"):
        config.gateways(folder / "gateways.toml")
