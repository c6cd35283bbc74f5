"""Which language to speak to the person at the terminal: Chinese or English, by locale."""

from __future__ import annotations

import os
from functools import cache


@cache
def language() -> str:
    """`zh` where SIXKIT_LANG, or else the usual LC_ALL, LC_MESSAGES, LANG, asks for Chinese; otherwise `en`."""
    for name in ("SIXKIT_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def say(en: str, zh: str) -> str:
    """The one of the two texts that this person reads."""
    return zh if language() == "zh" else en
