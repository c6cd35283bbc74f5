"""The lines that agent and centre print of what happens: JSON for machines, words for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def line(wall_ms: int, what: str, details: Mapping[str, Any], as_json: bool) -> str:
    """One event of the kind `what`, at `wall_ms` since 1970 UTC, without the end of its line."""
    if as_json:
        return json.dumps({"t": wall_ms, "what": what, **details}, ensure_ascii=False)
    time = datetime.fromtimestamp(wall_ms / 1000, UTC).astimezone().isoformat(timespec="milliseconds")
    return " ".join([time, what, *(f"{name}={_word(value)}" for name, value in details.items())])


def _word(value: Any) -> str:
    """`value` as one word; JSON where it would be several, or would move a terminal's cursor: a room may be called
    anything."""
    bare = isinstance(value, str) and value.isprintable() and not set(value) & set(" \"'=")
    if bare and value:
        return str(value)
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(value)
