"""Documents as an enemy or a failing disk would leave them."""

import copy
import json
from typing import Any

from hypothesis import strategies as st

_VALUES: list[Any] = [
    *(None, True, -1, 0, 1, 255, 2**31, 2**63, 2**70, -(2**63), 1e308, 0.5, "", "\0", "../../etc"),
    *("x" * 5000, "\ud800", [], {}, [[]], [None], {"": None}, "nan", "1"),
    *(float("nan"), float("inf")),
]


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, item in items:
        found += _places(item, (*path, key))
    return found


@st.composite
def hostile_documents(draw: st.DrawFn, good: Any) -> bytes:
    """`good` as JSON with up to three values replaced, added or gone, or with bytes wrong."""
    document = copy.deepcopy(good)
    for _ in range(draw(st.integers(0, 3))):
        *parents, key = draw(st.sampled_from(_places(document) or [("a",)]))
        holder = document
        for step in parents:
            holder = holder[step]
        # A copy: a later change must not reach into the list, or put a value into itself.
        if draw(st.booleans()):
            holder[key] = copy.deepcopy(draw(st.sampled_from(_VALUES)))
        elif isinstance(holder, dict):
            holder.pop(key, None)
            holder["surprise"] = copy.deepcopy(draw(st.sampled_from(_VALUES)))
    data = bytearray(json.dumps(document).encode())
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 3]))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.sampled_from([len(data)] * 4 + [len(data) // 2, 0]))])


DEEP = b"[" * 100_000
"""Deeper than any parser goes."""
