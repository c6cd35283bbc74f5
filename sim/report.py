"""A story as one HTML file that opens anywhere: the verdict first, how to replay it, the picture, and every entry."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sim.markup import esc
from sim.report_chart import Picture, clock
from sim.report_words import colour_of, fault_name, lane_name, text, what_name
from sim.story import Story

_PAGE: Final = Path(__file__).parent / "page"
WALL_MS_MAX: Final = 253_402_300_799_999  # the end of the year 9999, beyond which there is no date


def html(story: Story, language: str) -> str:
    """The report in `language` ("zh", or anything else for English): no file beside it, nothing fetched. Only the
    script that it brings may run, whatever its titles say."""
    style, script = ((_PAGE / name).read_text("utf-8") for name in ("report.css", "report.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    parts = [
        "<!DOCTYPE html>",
        f'<html lang="{"zh-CN" if language == "zh" else "en"}">',
        '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        f"<title>{esc(story.title)}</title>",
        f"<style>{style}</style></head>",
        "<body>",
        *_head(story, language),
        *_timeline(story, language),
        *_faults(story, language),
        *_entries(story, language),
        f"<script>{script}</script>",
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _head(story: Story, language: str) -> Iterator[str]:
    number = len(story.differences)
    key = "good" if not number else "bad_one" if number == 1 else "bad"
    yield f'<header><h1>{esc(story.title)}</h1><p class="quiet">'
    yield " · ".join(
        [
            f"{text('seed', language)} {story.seed}",
            f"{text('lasts', language)} {clock(story.lasts_ms, story.lasts_ms or 1000)}",
            f"{text('began', language)} {_date(story.wall_ms0)}",
        ]
    )
    yield "</p></header>"
    yield f'<section id="verdict" class="{"bad" if number else "good"}"><h2>{text(key, language, n=number)}</h2>'
    if number:
        yield "<ul>" + "".join(f"<li>{esc(found.text(language))}</li>" for found in story.differences) + "</ul>"
    yield "</section>"
    if story.command:
        yield f"<section><h2>{text('replay', language)}</h2><pre><code>{esc(story.command)}</code></pre></section>"
    if story.counts:
        yield f'<section><h2>{text("counts", language)}</h2><dl id="counts">'
        yield "".join(f"<div><dt>{esc(name)}</dt><dd>{count}</dd></div>" for name, count in story.counts.items())
        yield "</dl></section>"


def _timeline(story: Story, language: str) -> Iterator[str]:
    yield f'<section id="timeline"><h2>{text("timeline", language)}</h2>'
    yield '<div id="tools" class="scripted">'
    for name, sign in (("earlier", "◀"), ("closer", "＋"), ("wider", "−"), ("later", "▶")):
        label = text(name, language)
        yield f'<button id="{name}" title="{label}" aria-label="{label}">{sign}</button>'
    yield f'<button id="all">{text("all", language)}</button>'
    yield f'<output id="detail">{text("hint", language)}</output></div>'
    yield Picture(story, language).svg()
    yield '<p id="legend">'
    for what, number in sorted(Counter(entry.what for entry in story.entries).items(), key=lambda item: -item[1]):
        yield (
            f'<button class="{colour_of(what)}" data-what="{esc(what)}" aria-pressed="true"><i></i>'
            f"{esc(what_name(what, language))} <small>{number}</small></button>"
        )
    yield "</p></section>"


def _faults(story: Story, language: str) -> Iterator[str]:
    if not story.faults:
        return
    yield f'<section><h2>{text("faults", language)}</h2><div class="wide"><table id="faults">'
    yield _columns(text(name, language) for name in ("from", "to", "where", "fault", "about"))
    for span in sorted(story.faults):
        yield (
            f'<tr data-t="{span.begin_ms}" data-end="{span.end_ms}"><td>{clock(span.begin_ms)}</td>'
            f"<td>{clock(span.end_ms)}</td><td>{esc(lane_name(span.lane, language))}</td>"
            f"<td>{esc(fault_name(span.kind, language))}</td><td>{esc(span.about)}</td></tr>"
        )
    yield "</tbody></table></div></section>"


def _entries(story: Story, language: str) -> Iterator[str]:
    yield f"<section><h2>{text('entries', language)}</h2>"
    if not story.entries:
        yield f'<p class="quiet">{text("nothing", language)}</p></section>'
        return
    find = text("find", language)
    yield f'<p class="scripted"><input id="find" type="search" placeholder="{find}" aria-label="{find}"></p>'
    yield '<div class="wide"><table id="entries">'
    yield _columns(text(name, language) for name in ("time", "where", "what", "about", "event"))
    for place, entry in sorted(enumerate(story.entries), key=lambda item: item[1].t_ms):
        yield (
            f'<tr data-n="{place}" data-t="{entry.t_ms}" data-what="{esc(entry.what)}"><td>{clock(entry.t_ms)}</td>'
            f"<td>{esc(lane_name(entry.lane, language))}</td>"
            f'<td class="{colour_of(entry.what)}"><i></i>{esc(what_name(entry.what, language))}</td>'
            f"<td>{esc(entry.about)}</td><td>{esc(entry.event)}</td></tr>"
        )
    yield "</tbody></table></div></section>"


def _columns(names: Iterable[str]) -> str:
    return "<thead><tr>" + "".join(f"<th>{name}</th>" for name in names) + "</tr></thead><tbody>"


def _date(wall_ms: int) -> str:
    shown = datetime.fromtimestamp(max(0, min(wall_ms, WALL_MS_MAX)) / 1000, UTC)
    return shown.isoformat(" ", "seconds").replace("+00:00", " UTC")
