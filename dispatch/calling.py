"""The command that tells a resident that the centre is on the phone, made from an incident of the desk."""

from __future__ import annotations

import json
from typing import Final

from dispatch.store import Store
from protocol.record import CALLING, Command, Interval, Now

ALARMS_MAX: Final = 8  # the latest of one incident: what the resident remembers having called for


def calling(store: Store, incident: int, now: Now) -> Command | None:
    """What to send to the gateway of `incident`; None where that has no event of a gateway's, or was never heard.

    It answers the gateway's last heartbeat, which it takes once: a second call within a heartbeat is passed over there.
    """
    alarms = store.rows(
        "SELECT gateway, alarm_epoch, alarm_sequence FROM events WHERE incident = ?"
        " GROUP BY alarm_epoch, alarm_sequence ORDER BY max(rowid) DESC LIMIT ?",
        *(incident, ALARMS_MAX),
    )
    heard = store.row("SELECT heartbeat FROM gateways WHERE id = ?", alarms[0]["gateway"]) if alarms else None
    if heard is None:
        return None
    number: int = json.loads(heard["heartbeat"])["number"]
    intervals = tuple(Interval(epoch, sequence, sequence) for _, epoch, sequence in alarms)
    return Command(alarms[0]["gateway"], number, now.wall_ms, CALLING, intervals)
