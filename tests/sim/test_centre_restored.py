"""A real centre that is put back to an old copy of its database asks the real gateway for what it has lost."""

from __future__ import annotations

from sim.case import parse
from sim.play import play

CASE = b"""
title = "The centre goes on from a copy that lacks four events"
[home]
terminals = [
    { id = "button-1", kind = "button", room = "hall" },
    { id = "smoke-1", kind = "smoke", room = "kitchen" },
]
heartbeat_s = 5
[[at]]
t = "500ms"
button-1 = "press"
[[at]]
t = "2s"
centre = "back_up"
[[at]]
t = "5s"
button-1 = { presses = 3, every = "300ms" }
smoke-1 = "tamper"
[[at]]
t = "8s"
centre = "restore"
[[expect]]
event = { kind = "button", terminal = "button-1" }
times = 4
committed_within = "20s after centre restore"
[[expect]]
event = { kind = "tamper", phase = "raised", terminal = "smoke-1" }
[[expect]]
counter = { asked_again = ">=1" }
[[expect]]
counter = { resent = "4" }
"""


def test_a_centre_put_back_to_an_old_copy_has_every_event_once() -> None:
    assert [found.en for found in play(parse(CASE, "case")).differences] == []
