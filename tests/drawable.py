"""A figure as the book's page gets it."""

import base64
import json
from typing import Any

import numpy as np
import plotly.graph_objects as go

from kdnb.book.drawing import compact


def drawable(fig: go.Figure) -> None:
    """Assert that the figure's JSON is one, every number included, and that some trace that is seen has data."""
    spec = json.loads(json.dumps(compact(fig), allow_nan=False))
    seen = [trace for trace in spec["data"] if trace.get("visible", True) is True]
    assert any(_given(trace.get(key)) for trace in seen for key in ("y", "z", "source"))


def _given(values: Any) -> bool:
    """Whether any of them is a value: a line through gaps alone draws nothing."""
    if isinstance(values, dict):
        return bool(np.isfinite(np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"])).any())
    return any(map(_given, values)) if isinstance(values, list) else values is not None
