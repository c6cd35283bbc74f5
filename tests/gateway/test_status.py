"""The status socket: one JSON object for each connection, or a sentence that says what to do."""

import contextlib
import socket
import stat
import time

import pytest

from gateway import status
from protocol.words import Unavailable


def unheard(why):
    raise AssertionError(why)


@pytest.fixture
def server(tmp_path):
    found = status.StatusServer(tmp_path / "s.sock", lambda: {"gateway": "gw-1"}, unheard)
    found.start()
    yield found
    found.close()


def test_each_connection_gets_the_status(server, tmp_path):
    for _ in range(3):
        assert status.ask(tmp_path / "s.sock") == {"gateway": "gw-1"}


def test_others_cannot_read_the_socket(server, tmp_path):
    assert stat.S_IMODE((tmp_path / "s.sock").stat().st_mode) == 0o660


def test_a_client_that_leaves_or_stays_silent_holds_nobody_up(server, tmp_path):
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.connect(str(tmp_path / "s.sock"))
        began_s = time.monotonic()
        assert status.ask(tmp_path / "s.sock")["gateway"] == "gw-1"
        assert time.monotonic() - began_s < 2


def test_no_agent_is_said_with_what_to_do(tmp_path):
    with pytest.raises(Unavailable, match="sixkit run"):
        status.ask(tmp_path / "nowhere.sock")


def test_an_agent_whose_loop_is_stuck_is_told_apart_from_a_good_one(tmp_path):
    def stuck():
        raise TimeoutError("the loop does not answer")

    server = status.StatusServer(tmp_path / "s.sock", stuck, unheard)
    server.start()
    with pytest.raises(Unavailable):
        status.ask(tmp_path / "s.sock")
    server.close()


def test_a_socket_left_by_a_killed_agent_is_replaced(tmp_path):
    with socket.socket(socket.AF_UNIX) as first:
        first.bind(str(tmp_path / "s.sock"))  # closed without unlinking, as kill -9 leaves it: the name stays
    second = status.StatusServer(tmp_path / "s.sock", lambda: {"gateway": "gw-2"}, unheard)
    second.start()
    assert status.ask(tmp_path / "s.sock") == {"gateway": "gw-2"}
    second.close()


def test_an_agent_that_ends_leaves_the_socket_of_another(server, tmp_path):
    second = status.StatusServer(tmp_path / "s.sock", lambda: {"gateway": "gw-2"}, unheard)
    second.start()
    server.close()
    assert status.ask(tmp_path / "s.sock") == {"gateway": "gw-2"}
    second.close()


def test_a_folder_that_cannot_be_written_is_said_once_and_used_when_it_can(tmp_path, monkeypatch):
    monkeypatch.setattr(status, "RETRY_S", 0.01)
    (tmp_path / "data").write_text("a file where the folder should be")
    said = []
    server = status.StatusServer(tmp_path / "data" / "s.sock", lambda: {"gateway": "gw-1"}, said.append)
    server.start()
    time.sleep(0.1)
    assert len(said) == 1
    (tmp_path / "data").unlink()
    until_s = time.monotonic() + 5
    while not (tmp_path / "data" / "s.sock").exists():
        assert time.monotonic() < until_s
        time.sleep(0.01)
    assert status.ask(tmp_path / "data" / "s.sock") == {"gateway": "gw-1"}
    server.close()


def test_a_path_longer_than_a_socket_address_will_do(tmp_path):
    path = tmp_path / ("a" * 100) / ("b" * 100) / "s.sock"
    server = status.StatusServer(path, lambda: {"gateway": "gw-1"}, pytest.fail)
    server.start()
    assert status.ask(path) == {"gateway": "gw-1"}
    server.close()
