"""A Plotly figure as a light HTML fragment, and the colours of a light and a dark page.

Plotly's own renderers leave a static page empty, or put 5 MB into each notebook, or ask other servers for scripts. A
fragment is the figure's JSON beside an empty box; one script of the page (kdnb/book/static/page.js) draws them all with
one vendored plotly.min.js.
"""

import base64
import html
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import plotly.graph_objects as go

from kdnb.figures import style

_INKS = {"light": ("#1b1f24", "#ffffff"), "dark": ("#e3e6ea", "#23262b")}
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def _theme(ink: str, ground: str) -> dict[str, Any]:
    axis = {
        "automargin": True,
        "gridcolor": "rgba(128,128,128,0.25)",
        "linecolor": "rgba(128,128,128,0.6)",
        "zerolinecolor": "rgba(128,128,128,0.45)",
        "showline": True,
        "ticks": "outside",
        "tickcolor": "rgba(128,128,128,0.6)",
        "title": {"standoff": 10},
        "hoverformat": f".{style.DIGITS}~g",  # where an axis has none of its own
    }
    control = {"bgcolor": ground, "bordercolor": "rgba(128,128,128,0.6)", "font": {"color": ink}}
    layout = {
        "font": {"family": FONT, "size": 13, "color": ink},
        "title": {
            "font": {"size": 17},
            "x": 0,
            "xref": "paper",
            "xanchor": "left",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"t": 10, "b": 10},
        },
        "colorway": list(style.COLORWAY),
        "colorscale": {"sequential": "Viridis", "sequentialminus": "Viridis"},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "hoverlabel": {"bgcolor": ground, "bordercolor": "rgba(128,128,128,0.6)", "font": {"color": ink}},
        "hovermode": "closest",
        "legend": {"bgcolor": "rgba(0,0,0,0)"},
        "modebar": {
            "orientation": "v",
            "bgcolor": "rgba(0,0,0,0)",
            "color": "rgba(128,128,128,0.7)",
            "activecolor": ink,
        },
        "margin": {"l": 56, "r": 16, "t": 48, "b": 48},
        "xaxis": axis,
        "yaxis": axis,
        "sliderdefaults": control | {"activebgcolor": style.COLORWAY[0], "tickcolor": ink},
        "updatemenudefaults": control,
        "annotationdefaults": {"font": {"color": ink}, "arrowcolor": ink},
        "shapedefaults": {"line": {"color": ink}},
    }
    return {"layout": layout}


THEMES: dict[str, dict[str, Any]] = {name: _theme(ink, ground) for name, (ink, ground) in _INKS.items()}


def _single(value: Any) -> Any:
    """Return ``value`` with Plotly's float64 arrays as float32: seven digits do for a screen, at half the size."""
    if isinstance(value, dict):
        if value.get("dtype") == "f8":
            numbers = np.frombuffer(base64.b64decode(value["bdata"]), np.float64).astype(np.float32)
            return value | {"dtype": "f4", "bdata": base64.b64encode(numbers.tobytes()).decode()}
        return {key: _single(item) for key, item in value.items()}
    return [_single(item) for item in value] if isinstance(value, list) else value


def compact(fig: go.Figure) -> dict[str, Any]:
    """Return ``fig`` as plain JSON data, without its template (the page has one for all) and in single precision."""
    spec: dict[str, Any] = json.loads(fig.to_json())
    spec.get("layout", {}).pop("template", None)
    result: dict[str, Any] = _single(spec)
    return {"layout": {}, "data": []} | result


@cache
def script(name: str, *, shared: bool = True) -> str:
    """Return static/``name``, by default after the drawing code that scripts share (figure.js and tools.js)."""
    static = files("kdnb.book") / "static"
    names = ("figure.js", "tools.js", name) if shared else (name,)
    text = "".join((static / one).read_text(encoding="utf-8") for one in names)
    return text.replace("__THEMES__", json.dumps(THEMES))


def plots(name: str) -> str:
    """Return static/``name``, a view of several plots, after what such views share."""
    return script("pearson.js", shared=False) + script("panels.js", shared=False) + script(name)


def fragment(fig: go.Figure, *, name: str, alt: str) -> str:
    """Return HTML that the book's page turns into ``fig``: a labelled box and the figure's JSON, without a script."""
    spec: Mapping[str, Any] = compact(fig)
    height = spec["layout"].get("height", 450)
    body = json.dumps(spec, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
    return (
        f'<div class="kdnb-frame"><div id="{name}" class="kdnb-figure" role="figure" aria-label="{html.escape(alt)}" '
        f'style="width:100%;min-height:{height}px">'
        f"<p>{html.escape(alt)} <em>(Drawn by the book's page; to see it here, run this cell.)</em></p></div>"
        f'<script type="application/json" data-kdnb-figure="{name}">{body}</script></div>'
    )
