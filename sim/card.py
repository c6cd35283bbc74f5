"""A memory card whose power can be cut: an ext4 image behind a loop device; what was not flushed to it is gone."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import shutil
import struct
import subprocess
import time
import uuid
from pathlib import Path
from typing import Final

from protocol.words import Unavailable

IMAGE_BYTES: Final = 64 * 2**20  # six times what the outbox may ever take; sparse, so that it costs what is written
MAKE_S_MAX: Final = 30.0  # mke2fs takes some 10 ms for it
ATTACH_TRIES: Final = 20  # somebody else may take the free loop device between our asking and our taking it
DETACH_S_MAX: Final = 10.0
LOOK_S: Final = 0.002
WITNESS: Final = "witness"
WITNESS_BYTES: Final = 4096

_EXT4_IOC_SHUTDOWN: Final = 0x8004587D  # linux/fs/ext4/ext4.h
_NO_LOG_FLUSH: Final = 2  # EXT4_GOING_FLAGS_NOLOGFLUSH: the journal in memory is lost too
_LOOP_CTL_GET_FREE: Final = 0x4C82  # linux/loop.h
_LOOP_CONFIGURE: Final = 0x4C0A  # since Linux 5.8
_LOOP_CONFIG_BYTES: Final = 304
_LO_FLAGS_OFFSET: Final = 60
_LO_FLAGS_AUTOCLEAR: Final = 4
_CLONE_NEWNS: Final = 0x20000  # linux/sched.h
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000  # linux/mount.h
_MNT_DETACH: Final = 2
_BOOT_ID: Final = b"/proc/sys/kernel/random/boot_id"

_libc: Final = ctypes.CDLL(None, use_errno=True)


def be_alone() -> None:
    """Gives this process, which must have one thread yet, mounts of its own: they end with it and its children,
    whatever kills it. Raises Unavailable, saying what is missing, where power cannot be cut on this machine."""
    if os.geteuid() != 0:
        raise Unavailable(
            "cutting the power needs root, for a file system of its own; run it with sudo",
            "切断电源需要 root 权限（要挂载独立的文件系统）；请用 sudo 运行",
        )
    if shutil.which("mke2fs") is None:
        raise Unavailable(
            "there is no mke2fs on the PATH; on Debian: apt install e2fsprogs",
            "PATH 中没有 mke2fs；Debian 上：apt install e2fsprogs",
        )
    if not Path("/dev/loop-control").exists():
        raise Unavailable(
            "this kernel has no loop devices (/dev/loop-control); modprobe loop, or leave the container",
            "内核没有 loop 设备（/dev/loop-control）；请执行 modprobe loop，或不要在容器中运行",
        )
    _call("unshare", _CLONE_NEWNS)
    _call("mount", b"none", b"/", None, _MS_REC | _MS_PRIVATE, None)


class Card:
    """Use it in a `with`, after be_alone(): entering makes it and mounts it at `folder`."""

    def __init__(self, image: Path, folder: Path):
        self._image = image
        self._folder = folder
        self._device = ""

    def __enter__(self) -> Card:
        with self._image.open("xb") as file:
            file.truncate(IMAGE_BYTES)
        command = ["mke2fs", "-q", "-F", "-t", "ext4", str(self._image)]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=MAKE_S_MAX)
        except (OSError, subprocess.SubprocessError) as error:
            raise _unavailable("mke2fs", str(getattr(error, "stderr", "") or error)) from error
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._insert()
        return self

    def __exit__(self, *exc: object) -> None:
        with contextlib.suppress(Unavailable):  # not mounted: a cut was interrupted between the two
            _call("umount2", bytes(self._folder), _MNT_DETACH)

    def bear_witness(self) -> None:
        """Writes something that is not synced: a cut that is one takes it away."""
        with open(os.open(self._folder / WITNESS, os.O_CREAT | os.O_WRONLY), "wb") as file:
            file.write(b"w" * WITNESS_BYTES)

    def cut(self) -> None:
        """Nothing reaches the card from now on, not even what the file system has in its own memory. Whoever writes
        must have been stopped: a sync that is under way may still tell its caller that it was done."""
        handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(handle, _EXT4_IOC_SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        except OSError as error:
            raise _unavailable("EXT4_IOC_SHUTDOWN", str(error)) from error
        finally:
            os.close(handle)

    def power_up(self) -> bool:
        """Mounts it again, from what is on it alone; nobody may have a file open. Whether the witness is gone."""
        _call("umount2", bytes(self._folder), 0)
        self._until_detached()
        self._insert()
        witness = self._folder / WITNESS
        return not witness.exists() or witness.stat().st_size == 0

    def _insert(self) -> None:
        handle = self._attached()
        try:
            _call("mount", self._device.encode(), bytes(self._folder), b"ext4", 0, None)
        finally:
            os.close(handle)
        errors = Path(f"/sys/fs/ext4/{Path(self._device).name}/errors_count")
        if errors.exists() and int(errors.read_text()) != 0:
            raise _unavailable("ext4", f"{errors}: the file system did not survive the cut; see dmesg")

    def _attached(self) -> int:
        """The opened loop device. It detaches itself when it is neither open nor mounted: were it kept, blocks in its
        cache that never reached the card would survive the cut and damage the file system."""
        with self._image.open("r+b") as image, open("/dev/loop-control", "r+b", buffering=0) as control:
            config = bytearray(_LOOP_CONFIG_BYTES)
            struct.pack_into("I", config, 0, image.fileno())
            struct.pack_into("I", config, _LO_FLAGS_OFFSET, _LO_FLAGS_AUTOCLEAR)
            for _ in range(ATTACH_TRIES):
                self._device = f"/dev/loop{fcntl.ioctl(control, _LOOP_CTL_GET_FREE)}"
                try:
                    handle = os.open(self._device, os.O_RDWR)
                except OSError as error:
                    raise _unavailable(self._device, str(error)) from error
                try:
                    fcntl.ioctl(handle, _LOOP_CONFIGURE, bytes(config))
                except OSError as error:
                    os.close(handle)
                    if error.errno != errno.EBUSY:
                        raise _unavailable(self._device, str(error)) from error
                else:
                    return handle
        raise _unavailable(self._device, "busy")

    def _until_detached(self) -> None:
        backing = Path(f"/sys/block/{Path(self._device).name}/loop/backing_file")
        end_s = time.monotonic() + DETACH_S_MAX
        while _read(backing) == str(self._image):
            if time.monotonic() > end_s:
                raise _unavailable(self._device, "somebody keeps it open")
            time.sleep(LOOK_S)


class Boots:
    """Use it in a `with`, after be_alone(): what processes of ours read as the machine's boot id."""

    def __init__(self, file: Path):
        self._file = file

    def __enter__(self) -> Boots:
        self.next()
        _call("mount", bytes(self._file), _BOOT_ID, None, _MS_BIND, None)
        return self

    def __exit__(self, *exc: object) -> None:
        _call("umount2", _BOOT_ID, _MNT_DETACH)

    def next(self) -> None:
        """The machine has been started anew. In place, since another may be reading it."""
        with open(os.open(self._file, os.O_CREAT | os.O_WRONLY), "wb") as file:
            file.write(f"{uuid.uuid4()}\n".encode())


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _call(name: str, *arguments: object) -> None:
    """One function of the C library. Raises Unavailable where it fails."""
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        shown = " ".join(os.fsdecode(one) for one in arguments if isinstance(one, bytes))
        raise _unavailable(f"{name} {shown}".strip(), os.strerror(number))


def _unavailable(what: str, why: str) -> Unavailable:
    return Unavailable(
        f"power cannot be cut on this machine: {what}: {why}",
        f"本机无法切断电源：{what}：{why}",
    )
