"""Whether a reader of a figure's CSV can tell its rows apart, from the figure's JSON."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from hovers import axis, values

Key = tuple[str, ...]


def alike(spec: Mapping[str, Any]) -> set[Key]:
    """What several traces of a figure have in common: panel and name, place across, and words, if not all values."""
    seen: dict[Key, set[int]] = {}
    rows: set[str] = set()
    for number, trace in enumerate(spec["data"]):
        own = list(_rows(spec, trace))
        if trace.get("visible", True) is True and not rows.issuperset(map(json.dumps, own)):  # else drawn once more
            rows |= set(map(json.dumps, own))
            for *key, _ in own:
                seen.setdefault(tuple(map(str, key)), set()).add(number)
    return {key for key, traces in seen.items() if len(traces) > 1}


def _rows(spec: Mapping[str, Any], trace: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Panel, name, place across, words, value, point by point."""
    x = values(trace.get("x"))
    words = [values(trace.get(name)) or [None] * len(x) for name in ("text", "customdata")]
    for place, text, told, y in zip(x, *words, values(trace.get("y")), strict=True):
        yield _panel(spec, trace), trace.get("name", ""), place, text, told, y


def _panel(spec: Mapping[str, Any], trace: Mapping[str, Any]) -> str:
    """The note above the panel, else what its axes say."""
    across, up = (axis(spec, trace, letter) for letter in "xy")
    middle, top = sum(across.get("domain", (0, 1))) / 2, up.get("domain", (0, 1))[1]
    notes = [note for note in spec["layout"].get("annotations", ()) if note.get("xref") == "paper"]
    above = [note["text"] for note in notes if abs(note["x"] - middle) < 1e-6 and abs(note["y"] - top) < 1e-6]
    said = [part.get("title", {}).get("text", "") for part in (up, across)]
    return str(above[0] if above else said)
