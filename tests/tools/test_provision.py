"""What `sixkit provision` makes, keeps, adds and refuses."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from gateway import config
from gateway.home.roster import TERMINALS_MAX
from protocol.words import Told, Unavailable
from sixkit_tools.cli import main
from sixkit_tools.site_folder import make_site
from sixkit_tools.site_words import host_and_port

EXPECTED = {
    "broker/acl",
    "broker/broker.key",
    "broker/broker.pem",
    "broker/ca.pem",
    "broker/mosquitto.conf",
    "broker/nats.conf",
    "broker/users.conf",
    "centre/ca.key",
    "centre/ca.pem",
    "centre/centre.key",
    "centre/centre.pub",
    "centre/dispatch.key",
    "centre/dispatch.pem",
    "centre/dispatch.toml",
    "centre/gateways.toml",
    "gateways/gw-1/ca.pem",
    "gateways/gw-1/centre.pub",
    "gateways/gw-1/gateway.toml",
    "gateways/gw-1/identity.key",
    "gateways/gw-1/identity.pub",
    "gateways/gw-1/terminals.toml",
    "gateways/gw-1/uplink.key",
    "gateways/gw-1/uplink.pem",
}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def toml(path: Path) -> dict[str, object]:
    return tomllib.loads(path.read_text())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "site"
    make_site(folder, home='3 Lane "5", 幸福里', port="/dev/ttyS9", terminals=["smoke:厨房", "button:bed room"])
    return folder


def test_makes_every_file_of_a_site_and_nothing_else(made: Path) -> None:
    assert set(contents(made)) == EXPECTED


def test_secrets_are_for_the_owner_alone_and_so_are_all_folders(made: Path) -> None:
    for path in [made, *made.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.is_dir():
            assert mode == 0o700, path
        elif path.suffix == ".key" or path.name == "terminals.toml":
            assert mode == 0o600, path


def test_the_agent_accepts_the_configuration(made: Path) -> None:
    read = config.load(made / "gateways/gw-1/gateway.toml")
    assert (read.gateway, read.simulation, read.bridges[0].port) == ("gw-1", False, "/dev/ttyS9")
    assert read.uplinks[0].brokers == (("localhost", 8883),)
    assert [(t.id, t.kind, t.room, t.address) for t in read.terminals] == [
        ("smoke-1", "smoke", "厨房", 1001),
        ("button-1", "button", "bed room", 1002),
    ]
    assert len({terminal.key for terminal in read.terminals}) == 2
    assert all(path.exists() for path in (read.identity, read.centre, read.uplinks[0].ca, read.uplinks[0].key))


def test_the_centre_knows_the_gateway_by_the_key_that_it_signs_with(made: Path) -> None:
    key = load_pem_private_key((made / "gateways/gw-1/identity.key").read_bytes(), None)
    row = toml(made / "centre/gateways.toml")["gateway"]["gw-1"]  # type: ignore[index]
    assert base64.b64decode(row["key"]) == key.public_key().public_bytes_raw()  # type: ignore[union-attr]
    assert row["home"] == '3 Lane "5", 幸福里'
    assert (made / "gateways/gw-1/centre.pub").read_bytes() == (made / "centre/centre.pub").read_bytes()


def test_the_certificates_are_of_one_authority_for_ten_years_and_one_purpose(made: Path) -> None:
    authority = x509.load_pem_x509_certificate((made / "centre/ca.pem").read_bytes())
    for name, subject, server in (
        ("broker/broker.pem", "broker", True),
        ("centre/dispatch.pem", "dispatch", False),
        ("gateways/gw-1/uplink.pem", "gw-1", False),
    ):
        certificate = x509.load_pem_x509_certificate((made / name).read_bytes())
        certificate.verify_directly_issued_by(authority)
        assert certificate.subject.rfc4514_string() == f"CN={subject}"
        assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days == 3652
        assert certificate.not_valid_before_utc < datetime.now(UTC)
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        wanted = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        assert list(usage) == [wanted]


def test_run_again_it_changes_nothing(made: Path) -> None:
    before = contents(made)
    again = make_site(made, terminals=["smoke:厨房", "button:bed room"])
    assert (again.made, again.added) == ([], [])
    assert contents(made) == before


def test_a_second_gateway_is_added_and_the_first_is_left_alone(tmp_path: Path) -> None:
    make_site(tmp_path / "s")
    before = contents(tmp_path / "s")
    second = make_site(tmp_path / "s", "gw-2")
    after = contents(tmp_path / "s")
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"centre/gateways.toml", "broker/users.conf"}
    assert second.broker_changed
    assert set(toml(tmp_path / "s/centre/gateways.toml")["gateway"]) == {"gw-1", "gw-2"}  # type: ignore[call-overload]
    assert b'"CN=gw-2"' in after["broker/users.conf"]


def test_new_terminals_are_added_and_known_ones_keep_their_keys(tmp_path: Path) -> None:
    make_site(tmp_path, terminals=["smoke:kitchen"])
    path = tmp_path / "gateways/gw-1/terminals.toml"
    first = toml(path)["terminal"]
    site = make_site(tmp_path, terminals=["smoke:kitchen", "smoke:kitchen", "gas:kitchen"])
    rows = toml(path)["terminal"]
    assert rows[:1] == first  # type: ignore[index]
    assert [(t.id, t.address) for t in site.terminals] == [("smoke-1", 1001), ("smoke-2", 1002), ("gas-1", 1003)]
    assert site.added == ["smoke-2", "gas-1"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_removed_gateway_loses_its_place_at_the_broker(tmp_path: Path) -> None:
    make_site(tmp_path)
    make_site(tmp_path, "gw-2")
    listed = tmp_path / "centre/gateways.toml"
    listed.write_text(listed.read_text().split("\n[gateway.gw-2]")[0])
    make_site(tmp_path, "gw-1")
    assert "gw-2" not in (tmp_path / "broker/users.conf").read_text()


@pytest.mark.parametrize("writes", range(len(EXPECTED) + 1))
def test_interrupted_at_any_file_and_run_again_it_completes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    left = writes
    fsync = os.fsync

    def interrupted(descriptor: int) -> None:
        nonlocal left
        if left == 0:
            raise KeyboardInterrupt
        left -= 1
        fsync(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", interrupted)
        with contextlib.suppress(KeyboardInterrupt):
            make_site(tmp_path, terminals=["smoke:kitchen"])
    before = {name: data for name, data in contents(tmp_path).items() if name.endswith(".key")}
    site = make_site(tmp_path, terminals=["smoke:kitchen"])
    assert set(contents(tmp_path)) == EXPECTED
    assert [terminal.id for terminal in site.terminals] == ["smoke-1"]
    config.load(tmp_path / "gateways/gw-1/gateway.toml")
    after = contents(tmp_path)
    assert all(after[name] == data for name, data in before.items())


def test_a_gateway_whose_folder_was_moved_away_gets_no_second_identity(tmp_path: Path) -> None:
    make_site(tmp_path)
    shutil.move(tmp_path / "gateways/gw-1", tmp_path / "elsewhere")
    before = contents(tmp_path)
    with pytest.raises(Told, match="enrolled"):
        make_site(tmp_path)
    assert contents(tmp_path) == before
    make_site(tmp_path, "gw-2")


def test_files_of_two_sites_in_one_folder_are_found_out(tmp_path: Path) -> None:
    make_site(tmp_path / "a")
    make_site(tmp_path / "b")
    shutil.copy(tmp_path / "a/centre/ca.pem", tmp_path / "b/broker/ca.pem")
    with pytest.raises(Told, match="two sites"):
        make_site(tmp_path / "b")


def test_the_broker_of_a_site_stays_what_it_is(tmp_path: Path) -> None:
    make_site(tmp_path, broker="broker.example:1883")
    assert make_site(tmp_path, "gw-2").broker == "broker.example:1883"
    assert 'brokers = ["broker.example:1883"]' in (tmp_path / "gateways/gw-2/gateway.toml").read_text()
    with pytest.raises(Told, match=r"broker\.example:1883, not other:1"):
        make_site(tmp_path, broker="other:1")


def test_new_gateways_get_every_broker_that_the_centre_has(tmp_path: Path) -> None:
    make_site(tmp_path)
    settings = tmp_path / "centre/dispatch.toml"
    settings.write_text(settings.read_text().replace('"localhost:8883"', '["localhost:8883", "b.example:8883"]'))
    make_site(tmp_path, "gw-2")
    read = config.load(tmp_path / "gateways/gw-2/gateway.toml")
    assert read.uplinks[0].brokers == (("localhost", 8883), ("b.example", 8883))


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"gateway": "GW 1"}, "a-z"),
        ({"gateway": ""}, "a-z"),
        ({"gateway": "x" * 33}, "a-z"),
        ({"gateway": "../x"}, "a-z"),
        ({"gateway": "gw-1\n"}, "a-z"),
        ({"gateway": "dispatch"}, "taken"),
        ({"gateway": "centre"}, "taken"),
        ({"broker": "localhost"}, "--broker"),
        ({"broker": "localhost:0"}, "--broker"),
        ({"broker": "localhost:65536"}, "--broker"),
        ({"broker": "localhost:http"}, "--broker"),
        ({"broker": "0.0.0.0:8883"}, "--broker"),
        ({"broker": 'a"b:8883'}, "--broker"),
        ({"broker": "::1:8883"}, "--broker"),
        ({"terminals": ["toaster:kitchen"]}, "toaster.*smoke, gas, flood"),
        ({"terminals": ["smoke"]}, "room"),
        ({"terminals": ["smoke:"]}, "room"),
        ({"terminals": ["smoke:" + "x" * 33]}, "32"),
        ({"terminals": ["smoke:a\nb"]}, "printable"),
        ({"terminals": [f"smoke:{n}" for n in range(TERMINALS_MAX + 1)]}, str(TERMINALS_MAX)),
        ({"port": ""}, "--port"),
        ({"home": "a\x00b"}, "printable"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_said(tmp_path: Path, wish: dict[str, object], said: str) -> None:
    with pytest.raises(Told, match=said) as told:
        make_site(tmp_path / "s", **wish)  # type: ignore[arg-type]
    assert told.value.zh


def test_a_clock_that_was_never_set_makes_no_certificates(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="1970"):
        make_site(tmp_path / "s", now=datetime(1970, 1, 1, tzinfo=UTC))
    assert not (tmp_path / "s").exists()


def test_a_site_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("")
    with pytest.raises(Unavailable, match="folder"):
        make_site(tmp_path / "s")


@pytest.mark.parametrize("name", ["centre/gateways.toml", "centre/dispatch.toml", "gateways/gw-1/terminals.toml"])
@pytest.mark.parametrize(
    "content",
    [
        b"\xff",
        b"= 3",
        b"gateway = 3\nterminal = 3\n",
        b'gateway = []\n[[terminal]]\nid = "x"\nkind = "gas"\naddress = "x"\n',
    ],
)
def test_a_broken_list_is_said_and_kept(tmp_path: Path, name: str, content: bytes) -> None:
    make_site(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Told, match="broken"):
        make_site(tmp_path)
    assert (tmp_path / name).read_bytes() == content


def test_a_broken_key_is_said_and_kept(tmp_path: Path) -> None:
    make_site(tmp_path)
    (tmp_path / "centre/ca.key").write_bytes(b"nonsense")
    with pytest.raises(Told, match="broken"):
        make_site(tmp_path, "gw-2")
    assert (tmp_path / "centre/ca.key").read_bytes() == b"nonsense"


def test_ipv6_brokers_are_written_in_brackets(tmp_path: Path) -> None:
    make_site(tmp_path, broker="[::1]:8883")
    assert config.load(tmp_path / "gateways/gw-1/gateway.toml").uplinks[0].brokers == (("::1", 8883),)
    assert 'host: "::1"' in (tmp_path / "broker/nats.conf").read_text()


@given(st.text())
def test_any_broker_text_is_taken_or_told(text: str) -> None:
    try:
        host, port = host_and_port(text)
    except Told:
        return
    assert host
    assert 0 < port < 65536


def test_the_command_reports_for_people_in_their_language(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["provision", str(tmp_path / "s"), "--terminal", "smoke:kitchen", "button:bedroom"]) == 0
    text = capsys.readouterr().out
    assert "smoke-1" in text
    assert f"sixkit run --config {tmp_path}/s/gateways/gw-1/gateway.toml" in text


def test_the_command_reports_for_machines_and_starts_fast_enough_to_be_called_by_tests(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sixkit_tools", "provision", str(tmp_path / "s"), "--simulation", "--json"]
    done = subprocess.run([*command, "--terminal", "gas:kitchen"], capture_output=True, check=True, text=True)
    report = json.loads(done.stdout)
    assert report["terminals"] == [{"id": "gas-1", "kind": "gas", "room": "kitchen", "address": 1001}]
    assert set(report["made"]) == EXPECTED
    assert (report["gateway"], report["broker"], len(report["next"])) == ("gw-1", "localhost:8883", 3)
    assert config.load(tmp_path / "s/gateways/gw-1/gateway.toml").simulation


def test_two_at_once_make_one_site(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sixkit_tools", "provision", str(tmp_path / "s"), "--terminal", "smoke:kitchen"]
    runs = [subprocess.Popen([*command, "--gateway", f"gw-{n}"], stdout=subprocess.DEVNULL) for n in (1, 2)]
    assert [run.wait(30) for run in runs] == [0, 0]
    assert set(toml(tmp_path / "s/centre/gateways.toml")["gateway"]) == {"gw-1", "gw-2"}  # type: ignore[call-overload]
    users = (tmp_path / "s/broker/users.conf").read_text()
    assert "CN=gw-1" in users
    assert "CN=gw-2" in users


def test_help_does_not_load_the_cryptography(tmp_path: Path) -> None:
    code = "import sys; from sixkit_tools import provision; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=dict(os.environ), check=False).returncode == 0


@pytest.mark.parametrize(
    ("broker", "listens_on"),
    [("localhost:8883", "localhost"), ("10.0.0.7:8883", "10.0.0.7"), ("centre.example:8883", "0.0.0.0")],
)
def test_the_broker_listens_on_an_address_as_given_and_for_a_name_on_all(
    tmp_path: Path, broker: str, listens_on: str
) -> None:
    make_site(tmp_path, broker=broker)
    assert f'host: "{listens_on}"' in (tmp_path / "broker/nats.conf").read_text("utf-8")
    assert f"listener 8883 {listens_on}" in (tmp_path / "broker/mosquitto.conf").read_text("utf-8")


def test_what_was_there_otherwise_than_wished_for_is_kept_and_said(tmp_path: Path) -> None:
    assert make_site(tmp_path, port="/dev/ttyS9", home="Lane 3").kept == []
    assert make_site(tmp_path).kept == []
    kept = make_site(tmp_path, port="/dev/ttyS1", home="Lane 4").kept
    assert kept == ["gateways/gw-1/gateway.toml: port = '/dev/ttyS9'", "centre/gateways.toml: home = 'Lane 3'"]
