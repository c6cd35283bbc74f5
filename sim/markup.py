"""HTML and SVG elements as text, with everything that comes from outside escaped."""

from __future__ import annotations

import html

from sim.story import printable


def esc(words: str) -> str:
    """As text or attribute: titles, ids and whatever else comes from outside."""
    return html.escape(printable(words))


def tag(name: str, inner: str = "", /, **attributes: object) -> str:
    """The element `name` around the markup `inner`. Attributes are escaped; `class_` is class, `data_t` is data-t,
    an int or float is written as short as it is."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{esc(f"{value:.10g}" if isinstance(value, float) else str(value))}"'
        for key, value in attributes.items()
    )
    return f"<{name}{written}>{inner}</{name}>"
