"""What a figure says of a point that a reader points at, from the figure's JSON."""

import base64
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

SPOKEN: Mapping[str, Callable[[Mapping[str, Any]], list[str]]] = {
    "%{text}": lambda trace: trace["text"],
    "%{customdata[1]}": lambda trace: [row[1] for row in trace["customdata"]],
}


def values(column: Any) -> list[Any]:
    """A trace's column, packed as Plotly packs arrays or not."""
    if isinstance(column, Mapping):
        return np.frombuffer(base64.b64decode(column["bdata"]), column["dtype"]).tolist()
    return list(column if column is not None else ())


def not_in_per_cent(spec: Mapping[str, Any]) -> list[str]:
    """What hovers say in another way of values whose axis has ticks in per cent."""
    return [
        said
        for trace in spec["data"]
        for letter in "xy"
        if "%" in axis(spec, trace, letter).get("tickformat", "") and trace.get("hoverinfo") != "skip"
        for said in _wrong(trace, letter)
    ]


def axis(spec: Mapping[str, Any], trace: Mapping[str, Any], letter: str) -> Mapping[str, Any]:
    """The axis that a trace has across ("x") or upwards ("y")."""
    found: Mapping[str, Any] = spec["layout"].get(f"{letter}axis{trace.get(f'{letter}axis', letter)[1:]}", {})
    return found


def _wrong(trace: Mapping[str, Any], letter: str) -> Iterator[str]:
    """A number with a format of its own, or one in words; Plotly writes one without as its axis says."""
    hover = trace.get("hovertemplate", "")
    yield from (form for form in re.findall(rf"%{{{letter}:([^}}]*)}}", hover) if "%" not in form)
    for key, column in SPOKEN.items():
        if key in hover and f"%{{{letter}" not in hover:
            for share, said in zip(values(trace[letter]), column(trace), strict=True):
                if not _is_said(share, said):
                    yield said


def _is_said(share: float, said: str) -> bool:
    numbers: Sequence[str] = re.findall(r"([-+−]?[\d.]+)\s?%", said)
    return any(abs(float(number.replace("−", "-")) - 100 * share) <= 0.51 for number in numbers)
