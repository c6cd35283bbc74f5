"""One terminal under CPython on a tty or pty: what a board is to its firmware, with standard input for a sensor."""

from __future__ import annotations

import argparse
import os
import select
import sys
import termios
import time
from collections import deque
from pathlib import Path
from typing import Final

import serial

from devices.battery import Battery
from devices.kinds import LOGICS
from devices.logic import Logic
from devices.sounder import CALLED, CALLING, CHIRP, DRIP, TEMPORAL_3, TEMPORAL_4, Sounder
from devices.terminal import Terminal
from protocol.wire.codes import BATTERY_UNKNOWN, TAMPER
from protocol.wire.mac import KEY_BYTES
from protocol.wire.terminal_end import TerminalEnd
from protocol.words import Told

# What the buzzer plays, as it is printed.
SOUNDS: Final[dict[tuple[tuple[int, int], ...] | None, str]] = {
    TEMPORAL_3: "temporal-3",
    TEMPORAL_4: "temporal-4",
    DRIP: "drip",
    CHIRP: "chirp",
    CALLING: "calling",
    CALLED: "called",
    None: "none",
}

READ_BYTES_MAX: Final = 4096  # one read; a tty's own buffer holds as much
LINE_BYTES_MAX: Final = 256  # of standard input; the longest thing that means something has 12
REOPEN_MS: Final = 500  # a port that has gone is looked for this often
WRITE_TIMEOUT_S: Final = 0.2  # bytes that a port does not take are lost, as on a cut line; the wire repeats them
PRESS_MS: Final = 100  # how long `press` holds the button down, and waits before the next
HOLD_MS: Final = 4000  # how long `hold` does
CLOCK_RATE_MAX: Final = 1000  # beyond it the processes' own latency is minutes of simulated time
EXIT_USAGE: Final = 2  # as the sixkit command has it

EPILOG: Final = """standard input, a line each:
  145                 a sample: obscuration in 0.001 dB/m (smoke), 0.1 %LEL (gas), conductance in uS (flood),
                      1 or 0 for the pin (button; motion: 1 while somebody moves; door: 1 open)
  press | hold        press the button for 100 ms, or for 4 s
  test                press the button for test and hush
  tamper on|off       open or close the housing
  battery 80          charge in percent; 15 and below is low, until it is 25 again
The end of input ends nothing: the terminal goes on until it is killed.

example:
  openssl rand -hex 32 > smoke.key
  for smoke in 0 200 300 400 400 0; do echo $smoke; sleep 1; done |
    python -m devices.boards.host --kind smoke --address 1001 --key-file smoke.key --port /dev/pts/5
"""


class Clock:
    """Monotonic ms, `rate` times as fast as the world: a simulation's time."""

    def __init__(self, rate: int):
        self._rate = rate
        self._anchor_ns = time.monotonic_ns()

    def now_ms(self) -> int:
        return (self._anchor_ns + (time.monotonic_ns() - self._anchor_ns) * self._rate) // 1_000_000

    def wait_s(self, ms: int) -> float:
        """How long `ms` of this clock last in the world; 0 for the past."""
        return max(0, ms) / 1000 / self._rate


class Stimuli:
    """What the terminal senses, as lines of text say it; the board's own conditions too."""

    def __init__(self, kind: str):
        self.battery_pct = BATTERY_UNKNOWN
        self.tested = False  # its test button was pressed; whoever takes that puts it back
        self._battery = Battery()
        self._housing = 0
        self._low = 0
        self._kind = kind
        self._samples: deque[tuple[int, int]] = deque()  # (sample, how long it stays before the next, ms)
        self._free_at = 0
        self._line = bytearray()

    @property
    def conditions(self) -> int:
        """The board's own, as bits."""
        return self._housing | self._low

    def idle(self) -> bool:
        """True when all samples have been taken: only then is more input read, which bounds them."""
        return not self._samples

    def feed(self, data: bytes) -> list[str]:
        """Take bytes of input; give the lines that mean nothing here."""
        strange = []
        for byte in data:
            if byte != 0x0A:
                if len(self._line) <= LINE_BYTES_MAX:
                    self._line.append(byte)
                continue
            whole = len(self._line) <= LINE_BYTES_MAX
            line = self._line.decode("utf-8", "replace").strip()
            self._line.clear()
            if line and not (whole and self._understood(line)):
                strange.append(line)
        return strange

    def _understood(self, line: str) -> bool:
        match line.split():
            case ["press"] if self._kind == "button":
                self._samples += [(1, PRESS_MS), (0, PRESS_MS)]
            case ["hold"] if self._kind == "button":
                self._samples += [(1, HOLD_MS), (0, PRESS_MS)]
            case ["test"]:
                self.tested = True
            case ["tamper", "on"]:
                self._housing = TAMPER
            case ["tamper", "off"]:
                self._housing = 0
            case ["battery", number] if number.isdecimal() and int(number) <= 100:
                self.battery_pct = int(number)
                self._low = self._battery.conditions(self.battery_pct)
            case [number] if number.removeprefix("-").isdecimal() and len(number) <= 10:
                self._samples.append((int(number), 0))
            case _:
                return False
        return True

    def sample(self, now: int) -> int | None:
        """The sample for this turn, None if there is no new one."""
        if not self._samples or now < self._free_at:
            return None
        sample, stays_ms = self._samples.popleft()
        self._free_at = now + stays_ms
        return sample

    def deadline(self) -> int | None:
        """When the next sample is due, ms; None: when a line comes."""
        return self._free_at if self._samples else None


class Port:
    """A serial port that may vanish and come back; bytes written while it is away are lost."""

    def __init__(self, name: str, baud: int):
        self._name = name
        self._baud = baud
        self._serial: serial.Serial | None = None
        self._retry_at = 0

    def fileno(self) -> int | None:
        return None if self._serial is None else self._serial.fileno()

    def deadline(self) -> int | None:
        return self._retry_at if self._serial is None else None

    def ensure_open(self, now: int) -> None:
        if self._serial is not None or now < self._retry_at:
            return
        try:
            self._serial = serial.Serial(
                self._name, self._baud, timeout=0, write_timeout=WRITE_TIMEOUT_S, exclusive=True
            )
            _say(f"port open {self._name}")
        # SerialException is an OSError; ValueError: a name that is no port; termios.error: pulled out meanwhile.
        except (OSError, ValueError, termios.error) as error:
            self._lost(now, error)

    def read(self, now: int) -> bytes:
        if self._serial is None:
            return b""
        try:
            return bytes(self._serial.read(READ_BYTES_MAX))
        except OSError as error:
            self._lost(now, error)
            return b""

    def write(self, data: bytes, now: int) -> None:
        if self._serial is None or not data:
            return
        try:
            self._serial.write(data)
        except serial.SerialTimeoutException:
            pass
        except OSError as error:
            self._lost(now, error)

    def _lost(self, now: int, error: Exception) -> None:
        if self._serial is not None or not self._retry_at:  # say it once, not with every try
            print(f"port lost {self._name}: {error}; trying again", file=sys.stderr, flush=True)
        if self._serial is not None:
            self._serial.close()
            self._serial = None
        self._retry_at = now + REOPEN_MS


def run(terminal: Terminal, logic: Logic, stimuli: Stimuli, port: Port, stdin: int, clock: Clock) -> None:
    """Turn after turn, for ever."""
    input_open = True
    sounder = Sounder(logic.KIND)
    shown = sounds = ""
    while True:
        now = clock.now_ms()
        port.ensure_open(now)
        watched = [fd for fd in (port.fileno(), stdin if input_open and stimuli.idle() else None) if fd is not None]
        next_ms = (terminal.deadline(), stimuli.deadline(), port.deadline(), sounder.over_at())
        dues = [due for due in next_ms if due is not None]
        readable, _, _ = select.select(watched, [], [], clock.wait_s(min(dues) - now))
        now = clock.now_ms()
        if stdin in readable:
            data = os.read(stdin, READ_BYTES_MAX)
            input_open = bool(data)
            for line in stimuli.feed(data):
                print(f"not understood: {line!r}; see --help", file=sys.stderr, flush=True)
        received = port.read(now) if port.fileno() in readable else b""
        sample = stimuli.sample(now)
        if stimuli.tested:
            stimuli.tested = False
            if sounder.press(now):
                terminal.test(now)
        port.write(terminal.step(received, sample, stimuli.conditions, stimuli.battery_pct, now), now)
        if terminal.indication != shown:
            shown = terminal.indication
            _say(f"indication {shown}")
        sounder.show(terminal.standing, shown, logic.value(), now)
        if SOUNDS[sounder.sound] != sounds:
            sounds = SOUNDS[sounder.sound]
            _say(f"sound {sounds}")


def main(argv: list[str] | None = None) -> int:
    """Run one terminal until it is killed; the exit code is that of the sixkit command."""
    args = _parser().parse_args(argv)
    try:
        key = _read_key(args.key_file)
    except Told as error:
        print(f"{error.en}\n{error.zh}", file=sys.stderr)
        return EXIT_USAGE
    logic = LOGICS[args.kind]()
    clock = Clock(args.clock_rate)
    end = TerminalEnd(args.address, logic.KIND, key, os.urandom, clock.now_ms())
    try:
        run(Terminal(end, logic), logic, Stimuli(args.kind), Port(args.port, args.baud), sys.stdin.fileno(), clock)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read our indications has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m devices.boards.host",
        description="Run one terminal's firmware on a serial port or pty; prints what it shows and sounds.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kind", choices=sorted(LOGICS), required=True, help="which terminal")
    parser.add_argument("--address", type=_address, required=True, help="its address on the link, 1 to 4294967295")
    parser.add_argument("--key-file", type=Path, required=True, help="file with its key: 64 hexadecimal digits")
    parser.add_argument("--port", required=True, help="serial port or pty; may be missing, come and go")
    parser.add_argument("--baud", type=int, default=115200, help="speed of a real port (default: %(default)s)")
    parser.add_argument("--clock-rate", type=_rate, default=1, help="simulation: how many times as fast time passes")
    return parser


def _address(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 0xFFFFFFFF:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 4294967295")
    return int(text)


def _rate(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= CLOCK_RATE_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {CLOCK_RATE_MAX}")
    return int(text)


def _read_key(path: Path) -> bytes:
    try:
        key = bytes.fromhex(path.read_text("ascii").strip())
    except OSError as error:
        raise Told(
            f"cannot read the key file {path}: {error.strerror}", f"无法读取密钥文件 {path}：{error.strerror}"
        ) from error
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise Told(
            f"{path} must hold one key of 64 hexadecimal digits; make one with: openssl rand -hex 32",
            f"{path} 应包含一个 64 位十六进制密钥；可用 openssl rand -hex 32 生成",
        )
    return key


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
