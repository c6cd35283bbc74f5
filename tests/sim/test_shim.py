"""The fault library on real processes: syncs held, delayed and failed, a full disk, a shifted wall clock."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocol.words import Told
from sim import shim
from sim.shim import Control

SYNCER = """
import os, sys, time
handle = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
for line in sys.stdin:
    began = time.monotonic()
    try:
        os.write(handle, b"x")
        getattr(os, line.strip())(handle)
        print("ok", int((time.monotonic() - began) * 1000), flush=True)
    except OSError as error:
        print(error.strerror, int((time.monotonic() - began) * 1000), flush=True)
"""


@pytest.fixture(scope="module", autouse=True)
def library() -> Path:
    try:
        return shim.build()
    except Told as why:
        pytest.skip(why.en)


@pytest.fixture
def control(tmp_path: Path) -> Control:
    return Control(tmp_path / "control")


class Syncer:
    """A process that writes and syncs when told to."""

    def __init__(self, control: Control, file: Path, folder: Path | None):
        self.process = subprocess.Popen(
            [sys.executable, "-c", SYNCER, str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **shim.environment(control.path, folder)},
        )

    def ask(self, call: str = "fsync") -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(call + "\n")
        self.process.stdin.flush()

    def answer(self) -> tuple[str, int]:
        assert self.process.stdout is not None
        word, _, took_ms = self.process.stdout.readline().strip().rpartition(" ")
        return word, int(took_ms)

    def close(self) -> None:
        self.process.communicate()


@pytest.fixture
def syncer(tmp_path: Path, control: Control) -> Iterator[Syncer]:
    data = tmp_path / "data"
    data.mkdir()
    one = Syncer(control, data / "file", data)
    yield one
    one.close()


@pytest.mark.parametrize("call", ["fsync", "fdatasync"])
def test_a_sync_waits_while_it_is_held_and_ends_when_released(syncer: Syncer, control: Control, call: str) -> None:
    control.hold()
    syncer.ask(call)
    time.sleep(1.0)  # on a busy machine the call begins late
    control.release()
    word, took_ms = syncer.answer()
    assert word == "ok"
    assert took_ms >= 100


def test_a_control_file_that_goes_away_releases(syncer: Syncer, control: Control) -> None:
    control.hold()
    syncer.ask()
    time.sleep(0.1)
    control.path.unlink()
    assert syncer.answer()[0] == "ok"


def test_a_sync_takes_the_delay_longer(syncer: Syncer, control: Control) -> None:
    control.delay(150)
    syncer.ask()
    assert syncer.answer()[1] >= 150


def test_a_sync_fails_with_eio_until_released(syncer: Syncer, control: Control) -> None:
    control.eio()
    syncer.ask("fdatasync")
    assert syncer.answer()[0] == "Input/output error"
    control.release()
    syncer.ask("fdatasync")
    assert syncer.answer()[0] == "ok"


def test_the_disk_is_full_in_the_folder_only(syncer: Syncer, control: Control, tmp_path: Path) -> None:
    elsewhere = Syncer(control, tmp_path / "elsewhere", tmp_path / "data")
    control.enospc()
    for one in (syncer, elsewhere):
        one.ask()
    assert syncer.answer()[0] == "No space left on device"
    assert elsewhere.answer()[0] == "ok"
    elsewhere.close()


def test_syncs_elsewhere_are_not_held(syncer: Syncer, control: Control, tmp_path: Path) -> None:
    elsewhere = Syncer(control, tmp_path / "elsewhere", tmp_path / "data")
    control.hold()
    elsewhere.ask()
    assert elsewhere.answer()[0] == "ok"
    control.release()
    elsewhere.close()


def test_without_a_folder_every_file_is_held(control: Control, tmp_path: Path) -> None:
    one = Syncer(control, tmp_path / "file", None)
    control.delay(120)
    one.ask()
    assert one.answer()[1] >= 120
    one.close()


def test_a_commit_of_sqlite_waits_and_other_threads_go_on(control: Control, tmp_path: Path) -> None:
    program = """
import sqlite3, sys, threading, time
def commit():
    database = sqlite3.connect(sys.argv[1])
    database.execute("CREATE TABLE one (x)")
    database.commit()
    database.close()
    print("committed", flush=True)
thread = threading.Thread(target=commit)
thread.start()
time.sleep(0.2)
print("running", flush=True)
"""
    control.hold()
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "a.db")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **shim.environment(control.path, tmp_path)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    control.release()
    assert process.communicate()[0] == "committed\n"


def run_at_1970(control: Control, program: str) -> str:
    offset_s = -int(time.time()) + 100_000
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **shim.environment(control.path, wall_offset_s=offset_s)},
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    return done.stdout


def test_the_wall_clock_is_shifted_and_the_monotonic_one_is_not(control: Control) -> None:
    years = run_at_1970(
        control,
        "import time, datetime as d\n"
        "print(d.datetime.now().year, int(time.time()) // 10**6, time.time_ns() // 10**15)\n"
        "print(time.clock_gettime_ns(time.CLOCK_BOOTTIME))\n",
    ).split()
    assert years[:3] == ["1970", "0", "0"]
    now_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    assert now_ns - 20 * 10**9 < int(years[3]) <= now_ns


def test_openssl_takes_the_shifted_time(control: Control, tmp_path: Path) -> None:
    certificate(tmp_path)
    verify = (
        "import ssl, socket, threading, sys\n"
        f"folder = {str(tmp_path)!r}\n"
        "left, right = socket.socketpair()\n"
        "server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n"
        "server.load_cert_chain(folder + '/pem')\n"
        "def serve():\n"
        "    try: server.wrap_socket(right, server_side=True).close()\n"
        "    except OSError: pass\n"
        "threading.Thread(target=serve).start()\n"
        "client = ssl.create_default_context(cafile=folder + '/pem')\n"
        "try:\n"
        "    client.wrap_socket(left, server_hostname='localhost').close(); print('accepted')\n"
        "except ssl.SSLCertVerificationError as error:\n"
        "    print(error.verify_message); left.close()\n"
    )
    assert subprocess.check_output([sys.executable, "-c", verify], text=True) == "accepted\n"
    assert run_at_1970(control, verify) == "certificate is not yet valid\n"


def certificate(folder: Path) -> None:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "pem").write_bytes(private + made.public_bytes(serialization.Encoding.PEM))


def test_waits_with_a_timeout_keep_their_length_at_1970(control: Control) -> None:
    program = (
        "import queue, threading, time\n"
        "began = time.monotonic()\n"
        "try: queue.SimpleQueue().get(timeout=0.2)\n"
        "except queue.Empty: pass\n"
        "threading.Event().wait(0.2)\n"
        "threading.Lock().acquire(timeout=0.2)\n"
        "print(int((time.monotonic() - began) * 10))\n"
    )
    assert int(run_at_1970(control, program)) in range(4, 12)  # the lock is free: 0.4 s in all


def test_without_a_compiler_the_reason_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Told, match="C compiler") as told:
        shim.build()
    assert "编译器" in told.value.zh


def test_a_source_that_does_not_compile_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "shim.c").write_text("this is no C")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(shim, "SOURCE", tmp_path / "shim.c")
    with pytest.raises(Told, match="cannot compile"):
        shim.build()


def test_two_builds_give_the_same_library() -> None:
    assert shim.build() == shim.build()
