"""A talker on the line who is none of the home's: what a gateway makes of each manner."""

from __future__ import annotations

from random import Random

import pytest

from protocol.wire.gateway_end import GatewayEnd
from protocol.wire.messages import Stranger as Said
from sim.stranger import ADDRESS_LEAST, MANNERS, Stranger

ADDRESSES = [1001, 1002]


def heard(manner: str, ms: int = 30_000) -> tuple[GatewayEnd, list[object]]:
    gate = GatewayEnd({address: bytes([9]) * 32 for address in ADDRESSES}, Random(1).randbytes)
    stranger = Stranger(3, manner, ADDRESSES)
    said: list[object] = []
    while (now_ms := stranger.deadline()) < ms:
        said += gate.receive(stranger.step(now_ms), now_ms)
        assert stranger.step(now_ms) == b""
    return gate, said


def test_one_that_babbles_has_ever_new_addresses() -> None:
    gate, said = heard("babble")
    assert gate.counters["foreign"] == 1500
    assert len(set(said)) == len(said) > 600


def test_one_that_knocks_has_one_address_that_nobody_knows() -> None:
    gate, said = heard("knock")
    assert said == [Said(ADDRESS_LEAST)] * 6
    assert gate.counters["foreign"] == 6


def test_one_that_poses_has_the_address_of_another_and_not_its_key() -> None:
    gate, said = heard("pose")
    assert said == [Said(1001)] * 6
    assert gate.counters["bad_tag"] == 6


def test_one_that_forges_speaks_in_all_names_and_is_believed_in_none() -> None:
    gate, said = heard("forge")
    assert said == []
    assert gate.counters["bad_tag"] == 1500


@pytest.mark.parametrize("manner", MANNERS)
def test_the_same_seed_says_the_same(manner: str) -> None:
    assert heard(manner)[1] == heard(manner)[1]
