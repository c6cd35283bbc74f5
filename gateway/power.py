"""What the gateway is fed from: mains and backup battery, read from the kernel, from an input line or from a file."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from gateway.config import PowerConfig

POLL_S: Final = 0.25  # a dying supply leaves some seconds; reading a few files of the kernel takes less than 1 ms
STOP_S_MAX: Final = 1.0  # how long `stop` waits for a read, which may hang in a driver
VALUE_BYTES_MAX: Final = 256  # an attribute of the kernel is a word or a number
SUPPLIES_MAX: Final = 16  # a machine has a handful, batteries of its mouse and keyboard included
_FED: Final = ("Mains", "USB", "Wireless")  # how the type of a supply from outside begins


class Supply(NamedTuple):
    """What is known of the supply; None: this source cannot say, or not now."""

    mains: bool | None = None
    backup_pct: int | None = None
    backup_low: bool | None = None  # as the hardware itself says
    detail: str = ""  # why nothing can be said now


def read(config: PowerConfig) -> Supply:
    """How it is now. Raises OSError where it cannot be read, ValueError where it says nothing of use."""
    if config.driver == "sysfs":
        return power_supplies(config.path)
    if config.driver == "gpio":
        low = None if config.backup is None else line(config.backup, config.active_low)
        return Supply(not line(config.path, config.active_low), None, low)
    return parsed(_value(config.path))


def power_supplies(folder: Path) -> Supply:
    """The kernel's power supply class at `folder` (Documentation/ABI/testing/sysfs-class-power): mains is there while
    any supply from outside is online; where there is none to ask, while no battery is discharging."""
    fed: list[bool] = []
    charges: list[int] = []
    low: list[bool] = []
    discharging: list[bool] = []
    for supply in sorted(folder.iterdir())[:SUPPLIES_MAX]:
        if _optional(supply / "scope") == "Device":  # the battery of a mouse feeds nothing here
            continue
        kind = _optional(supply / "type")
        if kind.startswith(_FED):
            fed.append(_optional(supply / "online") not in ("", "0"))
        elif kind in ("Battery", "UPS"):
            there = _optional(supply / "present") != "0"
            if not there or (supply / "capacity").exists():
                charges.append(percent(_optional(supply / "capacity")) if there else 0)
            low.append(not there or _optional(supply / "capacity_level") in ("Critical", "Low"))
            discharging.append(_optional(supply / "status") == "Discharging")
    if not fed and not discharging:
        raise ValueError(f"{folder}: no power supply")
    mains = any(fed) if fed else not any(discharging)
    return Supply(mains, min(charges, default=None), any(low) if low else None)


def line(path: Path, active_low: bool) -> bool:
    """Whether the input line whose value is in the file at `path` says that there is trouble."""
    value = _value(path)
    if value not in ("0", "1"):
        raise ValueError(f"{path}: {value!r} instead of 0 or 1")
    return (value == "1") != active_low


def parsed(text: str) -> Supply:
    """What a file says in one line: "mains" or "lost", and the backup's charge in percent if it has one."""
    word, _, charge = text.partition(" ")
    if word not in ("mains", "lost"):
        raise ValueError(f'{text!r} instead of "mains 100" or "lost 80"')
    return Supply(word == "mains", percent(charge) if charge else None)


def percent(text: str) -> int:
    """0 to 100, in digits."""
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= 100):
        raise ValueError(f"{text!r} instead of 0 to 100")
    return int(text)


class PowerSource:
    """Reads the supply by a thread of its own and puts each change of it; `mono_ms` is the gateway's clock."""

    def __init__(self, config: PowerConfig, put: Callable[[object], None], mono_ms: Callable[[], int]):
        self.counters: Counter[str] = Counter({"power_unreadable": 0})
        self._config, self._put, self._mono_ms = config, put, mono_ms
        self._last: Supply | None = None
        self._asked_ms: int | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="power", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(STOP_S_MAX)

    def asked_ms(self) -> int | None:
        """Since when a read has not come back (mono ms); None while none is on its way."""
        return self._asked_ms

    def look(self) -> None:
        """Read once, and put what has changed."""
        self._asked_ms = self._mono_ms()
        try:
            found = read(self._config)
        except (OSError, ValueError) as error:
            self.counters["power_unreadable"] += 1
            found = Supply(detail=str(error))
        self._asked_ms = None
        if found != self._last:
            self._last = found
            self._put(found)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.look()
            self._stopping.wait(POLL_S)


def _value(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(VALUE_BYTES_MAX).decode("ascii", "replace").strip()


def _optional(path: Path) -> str:
    try:
        return _value(path)
    except FileNotFoundError:  # not every driver has every attribute
        return ""
