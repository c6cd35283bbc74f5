"""Epochs that are never used twice, whatever becomes of the file or the disk; keys that are told apart from no keys."""

from __future__ import annotations

import os
import random
import secrets
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from gateway import identity
from gateway.identity import (
    boot_id,
    epoch_above,
    epoch_bytes,
    load_signing_key,
    load_verifying_key,
    next_epoch,
    parsed_epoch,
    raise_epoch,
    unstored_epoch,
)
from protocol.record import INT_MAX
from protocol.words import Told
from sim import shim

STORED_MAX = 2**62


def test_each_start_has_a_higher_epoch(tmp_path: Path) -> None:
    epochs = [raise_epoch(tmp_path / "data") for _ in range(20)]
    assert not any(unstored for _, unstored in epochs)
    assert epochs == sorted(set(epochs))
    assert all(0 < epoch < STORED_MAX for epoch, _ in epochs)


def test_the_epoch_is_on_disk_when_it_is_told(tmp_path: Path) -> None:
    epoch, _ = raise_epoch(tmp_path)
    assert (tmp_path / "epoch").read_text().split()[0] == str(epoch)
    assert [one.name for one in tmp_path.iterdir()] == ["epoch"]


def test_homes_and_lost_files_do_not_begin_alike(tmp_path: Path) -> None:
    begun = {raise_epoch(tmp_path / str(number))[0] for number in range(30)}
    assert len(begun) == 30


def test_a_card_set_back_to_an_earlier_image_does_not_count_the_same_epochs_again(tmp_path: Path) -> None:
    raise_epoch(tmp_path)
    image = (tmp_path / "epoch").read_bytes()
    used = {raise_epoch(tmp_path)[0] for _ in range(3)}
    (tmp_path / "epoch").write_bytes(image)
    assert raise_epoch(tmp_path)[0] not in used


@given(
    damage=st.binary(max_size=80)
    | st.integers(-5, 2**70).map(lambda number: b"%d 00000000\n" % number)
    | st.sampled_from((b"", b"\n", b"7", b"7 7 7", b"\x00" * 40))
)
def test_a_damaged_file_gives_an_epoch_of_its_own_that_is_stored(
    damage: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("epoch")
    used, _ = raise_epoch(folder)
    (folder / "epoch").write_bytes(damage)
    epoch, unstored = raise_epoch(folder)
    assert not unstored
    assert epoch != used
    assert 2**40 <= epoch < STORED_MAX
    assert raise_epoch(folder)[0] > epoch


@given(place=st.integers(0, 22), bit=st.integers(0, 7))
def test_a_flipped_bit_is_noticed(place: int, bit: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("epoch")
    raise_epoch(folder)
    data = bytearray((folder / "epoch").read_bytes())
    before = bytes(data).split()
    data[place % len(data)] ^= 1 << bit
    (folder / "epoch").write_bytes(data)
    assert parsed_epoch(bytes(data)) in (None, int(before[0]))


def test_a_file_that_has_counted_to_its_end_begins_again_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "epoch").write_bytes(epoch_bytes(STORED_MAX - 1))
    epoch, unstored = raise_epoch(tmp_path)
    assert not unstored
    assert epoch < STORED_MAX


def test_what_is_left_of_a_start_that_was_cut_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "epoch.new").write_bytes(b"12")
    first, unstored = raise_epoch(tmp_path)
    assert not unstored
    assert raise_epoch(tmp_path)[0] > first


def test_a_disk_that_cannot_be_written_gives_a_random_epoch_marked_unstored(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file is in the way")
    epochs = [raise_epoch(tmp_path / "data") for _ in range(5)]
    assert all(unstored for _, unstored in epochs)
    assert all(STORED_MAX <= epoch <= INT_MAX for epoch, _ in epochs)
    assert len(set(epochs)) == 5


HUNG = """
import sys, time
from pathlib import Path
from gateway.identity import raise_epoch
folder = Path(sys.argv[1])
began = time.monotonic()
epoch, unstored = raise_epoch(folder, 200)
print(epoch, unstored, int((time.monotonic() - began) * 1000), flush=True)
sys.stdin.readline()
time.sleep(0.2)
print(*raise_epoch(folder), flush=True)
"""


def test_a_disk_that_hangs_does_not_hold_up_the_start_and_its_late_write_does_no_harm(tmp_path: Path) -> None:
    try:
        shim.build()
    except Told as why:
        pytest.skip(why.en)
    control = shim.Control(tmp_path / "control")
    data = tmp_path / "data"
    before, _ = raise_epoch(data)
    control.hold()
    process = subprocess.Popen(
        [sys.executable, "-c", HUNG, str(data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **shim.environment(control.path, data)},
    )
    assert process.stdout is not None
    epoch, unstored, took_ms = process.stdout.readline().split()
    assert unstored == "True"
    assert int(epoch) >= STORED_MAX
    assert 200 <= int(took_ms) < 400
    control.release()
    answer = process.communicate("go\n")[0].split()
    assert answer[1] == "False"
    assert before < int(answer[0]) < STORED_MAX


def test_the_boot_has_one_number_that_a_record_can_carry() -> None:
    assert boot_id() == boot_id()
    assert 0 < boot_id() <= INT_MAX


def test_without_a_boot_id_every_process_counts_as_a_boot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(identity, "BOOT_ID", tmp_path / "none")
    assert boot_id() != boot_id()
    (tmp_path / "none").write_text("not an id")
    assert 0 <= boot_id() <= INT_MAX


# --- keys ---


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "identity.key"
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(pem)
    path.chmod(0o600)
    return path


def test_a_private_key_is_loaded_under_its_name(key: Path) -> None:
    loaded, warning = load_signing_key(key, b"gw-1")
    assert loaded.kid == b"gw-1"
    assert warning is None


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o602])
def test_a_private_key_that_others_reach_is_loaded_with_a_warning(key: Path, mode: int) -> None:
    key.chmod(mode)
    _, warning = load_signing_key(key, b"gw-1")
    assert warning is not None
    assert f"chmod 600 {key}" in warning.en
    assert f"chmod 600 {key}" in warning.zh


def test_a_missing_key_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Told, match="sixkit provision"):
        load_signing_key(tmp_path / "none", b"gw-1")
    with pytest.raises(Told, match="sixkit provision"):
        load_verifying_key(tmp_path / "none", b"centre")


def test_a_folder_in_place_of_a_key_is_told(tmp_path: Path) -> None:
    with pytest.raises(Told, match="cannot be read"):
        load_signing_key(tmp_path, b"gw-1")


def test_a_key_of_another_kind_is_told(key: Path) -> None:
    key.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    with pytest.raises(Told, match="not an Ed25519 private key"):
        load_signing_key(key, b"gw-1")


def test_a_public_key_is_loaded_as_pem_or_raw(tmp_path: Path) -> None:
    public = Ed25519PrivateKey.generate().public_key()
    path = tmp_path / "centre.pub"
    for data in (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.Raw, PublicFormat.Raw),
    ):
        path.write_bytes(data)
        assert load_verifying_key(path, b"centre").kid == b"centre"


@given(data=st.binary(max_size=200))
def test_any_other_bytes_are_no_key_and_told(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "some.key"
    path.write_bytes(data)
    with pytest.raises(Told):
        load_signing_key(path, b"gw-1")
    if len(data) != 32:
        with pytest.raises(Told):
            load_verifying_key(path, b"centre")


def test_raising_the_epoch_is_quick(tmp_path: Path) -> None:
    began = time.monotonic()
    raise_epoch(tmp_path)
    assert time.monotonic() - began < 0.5


def test_an_epoch_is_above_all_that_still_waits() -> None:
    below = secrets.randbelow
    assert epoch_above(2**40 + 9, 0, below) == epoch_above(2**40 + 9, 2**40 + 8, below) == 2**40 + 9
    above = {epoch_above(2**40 + 9, 2**62 + 5, below) for _ in range(30)}
    assert len(above) == 30
    assert all(2**62 + 5 < epoch < 2**63 for epoch in above)
    assert epoch_above(2**40 + 9, 2**63 - 1, below) == 2**40 + 9  # no room above: the alarm counts for more


def test_the_rule_alone_gives_the_same_epochs_for_the_same_chance() -> None:
    def starts(seed: int) -> list[int]:
        below, stored, found = random.Random(seed).randrange, None, list[int]()
        for _ in range(5):
            stored = parsed_epoch(epoch_bytes(next_epoch(stored, below)))
            assert stored is not None
            found.append(stored)
        return [*found, unstored_epoch(below)]

    assert starts(1) == starts(1) != starts(2)
    assert starts(1)[:5] == sorted(set(starts(1)[:5]))
    assert STORED_MAX <= starts(1)[5] <= INT_MAX
