"""What stands in the end at the terminals, beside what the centre and the gateway make of it: where they differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from protocol.words import LAPSING, RESTORED, SIGNS, TEST, Told
from sim.bracelet import Bracelet
from sim.judge import Row
from sim.terminals import Played

Alarm = tuple[str, str]  # terminal, kind

ROUNDED_MS: Final = 2_000  # of an age in whole s, at either end


def in_order(rows: Sequence[Row], epochs: Sequence[int]) -> list[Row]:
    """As they happened, in the gateway's lives `epochs` one after the other: what a centre had lost comes late, and so
    does what a card that could not be read at a start still held from before it."""
    return sorted(rows, key=lambda row: (epochs.index(row.epoch), row.sequence))


def left_standing(rows: Sequence[Row], standing: set[Alarm], unknown: set[Alarm]) -> Iterator[Told]:
    """Alarms that are over and stand at the centre all the same, or stand and are not known there; but for those of
    which nobody can know, `unknown`."""
    last = {(row.terminal, row.kind): row.phase for row in rows if row.phase != TEST and not row.unverified}
    for (terminal, kind), phase in sorted(last.items()):
        over = phase == RESTORED
        if kind not in LAPSING and (terminal, kind) not in unknown and over == ((terminal, kind) in standing):
            en, zh = ("is over at the centre and stands at the terminal", "在中心已恢复，但终端仍在报警")
            if not over:
                en, zh = ("stands at the centre and is over at the terminal", "在中心仍未恢复，但终端已恢复")
            yield Told(f"{terminal}: {kind} {en}", f"{terminal}：{kind} {zh}")
    for terminal, kind in sorted(standing - last.keys()):
        yield Told(
            f"{terminal}: {kind} stands and the centre does not know it", f"{terminal}：{kind} 未恢复，而中心不知道"
        )


def closed(standing: set[Alarm]) -> Iterator[Told]:
    """Alarms that stand and of which the desk has no open incident."""
    for terminal, kind in sorted(standing):
        yield Told(
            f"{terminal}: {kind} stands and the desk shows it as over", f"{terminal}：{kind} 未恢复，而席位显示已结束"
        )


def left_open(over: set[Alarm]) -> Iterator[Told]:
    """Alarms that are over and of which the desk has an open incident; a call stays open until somebody closes it."""
    for terminal, kind in sorted(over):
        if kind not in LAPSING:
            yield Told(
                f"{terminal}: {kind} is over and the desk shows it as standing",
                f"{terminal}：{kind} 已恢复，而席位显示未结束",
            )


def signs_amiss(played: Sequence[Played | Bracelet], shown: Sequence[Mapping[str, Any]], now: int) -> Iterator[Told]:
    """Signs of life that their terminals have told and the gateway does not know at `now` (mono ms); it may know more,
    from before a restart of theirs. `shown` is its status of each."""
    known = {row["id"]: row for row in shown}
    for one in played:
        if not isinstance(one, Played) or one.kind not in SIGNS or not one.alive:
            continue
        last_ms, is_open = one.sign()
        row = known[one.name]
        last_s = row.get("last_sign_s")
        if last_ms is not None and (last_s is None or now - last_s * 1000 < last_ms - ROUNDED_MS):
            age_s = (now - last_ms) // 1000
            yield Told(
                f"{one.name}: its last sign of life is {age_s} s old, and {last_s} s by the gateway",
                f"{one.name}：最近活动在 {age_s} 秒前，网关记为 {last_s} 秒前",
            )
        if is_open is not None and row.get("open") != is_open:
            yield Told(
                f"{one.name}: open is {is_open} at the door, and {row.get('open')} at the gateway",
                f"{one.name}：门是否开着：终端为 {is_open}，网关记为 {row.get('open')}",
            )
