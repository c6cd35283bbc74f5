"""Who this gateway is and which start this is: its keys, its epoch, and the machine's boot."""

from __future__ import annotations

import os
import queue
import secrets
import stat
import threading
import uuid
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from protocol.envelope import SigningKey, VerifyingKey, signing_key, verifying_key
from protocol.words import Told

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
KEY_BYTES_MAX: Final = 4096  # an Ed25519 key in PEM has about 120
EPOCH_FILE: Final = "epoch"
EPOCH_BYTES_MAX: Final = 64  # 19 digits and a checksum have 29
EPOCH_TIMEOUT_MS: Final = 500  # a disk that takes longer does not hold up the first alarm

# Where there is no epoch to raise (first start, lost or damaged file) one begins at random: the centre keeps what it
# has seen of (gateway, epoch) for ever, so an epoch used twice would have new alarms absorbed as repeats. 2**40 places
# make a second use by chance a matter of one in 10**8 even for a gateway that lost its file after 10,000 starts.
_FIRST_MIN: Final = 2**40
# The step is random too: a card set back to an earlier image would count through the same epochs again.
_STEP_MAX: Final = 2**16
_STORED_MAX: Final = 2**62 - 1
# Epochs of starts that could not write the disk, apart from all others.
_UNSTORED_MIN: Final = 2**62
_UNSTORED_MAX: Final = 2**63 - 1  # what SQLite can number

# A random whole number from 0 to below its argument.
Below = Callable[[int], int]


def raise_epoch(folder: Path, timeout_ms: int = EPOCH_TIMEOUT_MS) -> tuple[int, bool]:
    """The epoch of this start, and whether it is unstored: on disk before it is used, or else random.

    The disk is used in a thread of its own. One that hangs there and writes later leaves an epoch that nobody used,
    or a lower step than the next start takes; neither is ever used twice.
    """
    answer: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    threading.Thread(target=_raise_stored, args=(folder, answer), name="epoch", daemon=True).start()
    try:
        epoch = answer.get(timeout=timeout_ms / 1000)
    except queue.Empty:
        epoch = None
    if epoch is not None:
        return epoch, False
    return unstored_epoch(secrets.randbelow), True


def unstored_epoch(below: Below) -> int:
    """An epoch for a start that cannot write the disk."""
    return _UNSTORED_MIN + below(_UNSTORED_MAX - _UNSTORED_MIN + 1)


def next_epoch(stored: int | None, below: Below) -> int:
    """The epoch to store for the start after the one that stored `stored` (None: there is none that can be trusted)."""
    step = 1 + below(_STEP_MAX)
    if stored is None or stored + step > _STORED_MAX:
        return _FIRST_MIN + below(_FIRST_MIN)
    return stored + step


def epoch_above(epoch: int, waiting: int, below: Below) -> int:
    """`epoch`, or one above `waiting`, the highest of the events that still wait for their receipt: what happens now
    must not be sent before what happened in a start that could not write the disk, or before an older copy of the
    epoch's file was put back. At random too, so that none is used twice."""
    above = waiting + 1 + below(_FIRST_MIN)
    return epoch if epoch > waiting or above > _UNSTORED_MAX else above


def _raise_stored(folder: Path, answer: queue.SimpleQueue[int | None]) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        epoch = next_epoch(_stored(folder / EPOCH_FILE), secrets.randbelow)
        _write_synced(folder, epoch)
    except OSError:
        answer.put(None)
    else:
        answer.put(epoch)


def epoch_bytes(epoch: int) -> bytes:
    """What the epoch's file holds."""
    number = str(epoch).encode()
    return b"%s %08x\n" % (number, zlib.crc32(number))


def parsed_epoch(data: bytes) -> int | None:
    """The epoch in the bytes of its file; None where there is none that can be trusted."""
    try:
        number, checksum = data.split()
        epoch = int(number)
        if zlib.crc32(number) == int(checksum, 16) and _FIRST_MIN <= epoch <= _STORED_MAX:
            return epoch
    except ValueError:
        pass
    return None


def _stored(path: Path) -> int | None:
    try:
        with path.open("rb") as file:
            return parsed_epoch(file.read(EPOCH_BYTES_MAX))
    except OSError:
        return None


def _write_synced(folder: Path, epoch: int) -> None:
    new = folder / f"{EPOCH_FILE}.new"
    new.unlink(missing_ok=True)
    with new.open("xb") as file:
        file.write(epoch_bytes(epoch))
        file.flush()
        os.fsync(file.fileno())
    new.replace(folder / EPOCH_FILE)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def boot_id() -> int:
    """A number of 63 bits (what a record carries) for this boot of the machine.

    Where the kernel gives none it is one for this process, so that nothing measured in another process is taken to be
    of the same boot.
    """
    try:
        return uuid.UUID(BOOT_ID.read_text().strip()).int >> 65
    except (OSError, ValueError):
        return secrets.randbits(63)


def load_signing_key(path: Path, kid: bytes) -> tuple[SigningKey, Told | None]:
    """The private key in the file, and a warning where others than its owner may read it. Raises Told."""
    data = _read(path)
    try:
        key = signing_key(data, kid)
    except ValueError as error:
        raise _not_a_key(path, error) from error
    return key, _warning(path)


def load_verifying_key(path: Path, kid: bytes) -> VerifyingKey:
    """The public key in the file. Raises Told."""
    try:
        return verifying_key(_read(path), kid)
    except ValueError as error:
        raise _not_a_key(path, error) from error


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(KEY_BYTES_MAX)
    except FileNotFoundError as error:
        raise Told(
            f"{path}: there is no such key file; run `sixkit provision`, or correct the path in gateway.toml",
            f"{path}：没有这个密钥文件；请运行 `sixkit provision`，或更正 gateway.toml 中的路径",
        ) from error
    except OSError as error:
        raise Told(
            f"{path}: the key cannot be read: {error.strerror}; check the file's owner and mode",
            f"{path}：无法读取密钥：{error.strerror}；请检查文件的属主和权限",
        ) from error


def _not_a_key(path: Path, error: ValueError) -> Told:
    return Told(
        f"{path}: {error}; put back the file that `sixkit provision` made",
        f"{path}：不是有效的 Ed25519 密钥（{error}）；请放回 `sixkit provision` 生成的文件",
    )


def _warning(path: Path) -> Told | None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if not mode & 0o077:
        return None
    return Told(
        f"{path}: others may read or change this private key (mode {mode:04o}); run `chmod 600 {path}`",
        f"{path}：其他用户可以读取或修改此私钥（权限 {mode:04o}）；请运行 `chmod 600 {path}`",
    )
