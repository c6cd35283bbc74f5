"""The network in virtual time: what MQTT and TCP promise holds, and what they do not promise is lost."""

from random import Random

import pytest

from sim.world.network import KEEPALIVE_MS, WINDOW, Broker, Client, Path
from sim.world.timeline import Timeline


class Ends:
    """A gateway and a centre at one broker."""

    def __init__(self) -> None:
        self.timeline = Timeline()
        self.broker = Broker(self.timeline)
        self.paths = {name: Path() for name in ("gateway", "centre")}
        self.got: dict[str, list[bytes]] = {"gateway": [], "centre": []}
        self.states: list[bool] = []
        self.gateway = self._client("gateway", "down", self.states.append)
        self.centre = self._client("centre", "up", lambda up: None)
        for client in (self.gateway, self.centre):
            client.start()
        self.pass_ms(5_000)

    def _client(self, name: str, wanted: str, changed) -> Client:
        return Client(
            self.timeline,
            self.broker,
            self.paths[name],
            Random(name),
            lambda topic: topic == wanted,
            lambda topic, payload: self.got[name].append(payload),
            changed,
        )

    def pass_ms(self, ms: int) -> None:
        self.timeline.until(self.timeline.now + ms)

    def send(self, count: int) -> list[bytes]:
        sent = [bytes([n]) for n in range(count)]
        assert all(self.gateway.send("up", one) for one in sent)
        return sent


@pytest.fixture
def ends() -> Ends:
    return Ends()


def test_both_ends_come_up_and_what_is_sent_arrives_in_order(ends: Ends) -> None:
    assert ends.states == [True]
    assert ends.centre.up
    sent = ends.send(10)
    ends.pass_ms(1_000)
    assert ends.got["centre"] == sent


def test_a_client_holds_back_what_the_broker_has_not_acknowledged(ends: Ends) -> None:
    ends.send(WINDOW)
    assert not ends.gateway.send("up", b"x")
    ends.pass_ms(1_000)
    assert ends.gateway.send("up", b"x")


def test_a_broker_that_is_killed_takes_what_is_on_its_way_with_it_and_is_found_again(ends: Ends) -> None:
    ends.send(3)
    ends.broker.down()
    assert ends.states == [True, False]
    ends.pass_ms(60_000)
    assert not ends.gateway.up
    assert ends.got["centre"] == []
    ends.broker.start()
    ends.pass_ms(20_000)
    assert ends.gateway.up
    assert ends.centre.up
    assert ends.got["centre"] == []


def test_a_broker_takes_what_nobody_is_there_to_receive(ends: Ends) -> None:
    ends.centre.stop()
    ends.send(2)
    ends.pass_ms(1_000)
    assert ends.broker.counters["taken_for_nobody"] == 2
    assert ends.gateway.up


def test_a_short_outage_delays_and_a_long_one_ends_the_connection(ends: Ends) -> None:
    ends.paths["gateway"].blocked = True
    ends.gateway.noticed()
    sent = ends.send(3)
    ends.pass_ms(5_000)
    assert ends.got["centre"] == []
    assert ends.gateway.up
    ends.paths["gateway"].blocked = False
    ends.gateway.unblocked()
    ends.pass_ms(1_000)
    assert ends.got["centre"] == sent
    ends.paths["gateway"].blocked = True
    ends.gateway.noticed()
    ends.pass_ms(KEEPALIVE_MS + 1)
    assert ends.states[-1] is False
    ends.pass_ms(60_000)
    assert not ends.gateway.up


def test_a_half_open_connection_looks_alive_until_keep_alive_finds_it(ends: Ends) -> None:
    ends.gateway.half_open()
    ends.send(1)
    ends.pass_ms(KEEPALIVE_MS - 1)
    assert ends.gateway.up
    assert ends.got["centre"] == []
    ends.pass_ms(20_000)
    assert ends.states == [True, False, True]
    assert ends.got["centre"] == []


def test_what_the_broker_repeats_or_throws_away_is_by_share(ends: Ends) -> None:
    ends.paths["gateway"].repeat = 1.0
    ends.send(3)
    ends.pass_ms(1_000)
    assert len(ends.got["centre"]) == 6
    ends.paths["gateway"].loss = 1.0
    ends.centre.send("down", b"receipt")
    ends.pass_ms(1_000)
    assert ends.got["gateway"] == []
    assert ends.broker.counters["lost_down"] == 1


def test_a_client_that_is_stopped_says_and_hears_nothing_more(ends: Ends) -> None:
    ends.send(1)
    ends.gateway.stop()
    ends.centre.send("down", b"receipt")
    ends.pass_ms(60_000)
    assert ends.got == {"gateway": [], "centre": []}
    assert not ends.gateway.send("up", b"x")
