"""A figure as the book's page gets it."""

import json
from typing import Any

import plotly.graph_objects as go

from kdnb.book.drawing import compact


def drawable(fig: go.Figure) -> None:
    """Assert that the figure's JSON is one, every number included, and that some trace that is seen has data."""
    spec = json.loads(json.dumps(compact(fig), allow_nan=False))
    seen = [trace for trace in spec["data"] if trace.get("visible", True) is True]
    assert any(_given(trace.get(key)) for trace in seen for key in ("x", "y", "z", "source"))


def _given(values: Any) -> bool:
    return bool(values.get("bdata") if isinstance(values, dict) else values)
