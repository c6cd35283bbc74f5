"""The shortest list of items with which a run still fails: what is left when nothing more can be left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def shrink(items: Sequence[int], fails: Callable[[frozenset[int]], bool]) -> tuple[list[int], int]:
    """Of the item numbers `items`, with all of which it `fails`, a shorter list with which it still does, and the
    number of runs. With one item at a time left out, none of what is left can be spared.

    Source: A. Zeller and R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE TSE 28(2), 2002
    (ddmin, complements only).
    """
    left, tries = list(items), 0
    size = max(1, len(left) // 2)
    while left:
        before = len(left)
        start = 0
        while start < len(left):
            fewer = left[:start] + left[start + size :]
            tries += 1
            if fails(frozenset(fewer)):
                left = fewer
            else:
                start += size
        if size > 1:
            size //= 2
        elif len(left) == before:  # what could not be spared at first may be, once others are gone
            break
    return left, tries
