"""Showing Plotly figures: natively where somebody works, as a light HTML fragment where a book is made.

Plotly's own renderers leave a static page empty, or put 5 MB into each notebook, or ask other servers for scripts. In
a papermill, nbmake or book run `show` therefore writes the figure's JSON beside an empty box; one script of the page
(kdnb/book/static/page.js) draws them all with one vendored plotly.min.js, in the page's light or dark colours.
"""

import base64
import html
import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import plotly.graph_objects as go
import plotly.io as pio
from IPython.display import HTML, display

from kdnb import surroundings
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
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "rgba(128,128,128,0.7)", "activecolor": ink},
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
pio.templates["kdnb"] = go.layout.Template(THEMES["light"])


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


def check_name(name: str, alt: str) -> None:
    """Refuse a ``name`` that cannot be an id on a page, and an empty ``alt``, with ValueError."""
    if not re.fullmatch(r"[a-z][a-z0-9-]*", name):
        raise ValueError(f"figure name {name!r} must be lower-case letters, digits and hyphens, such as 'mu-curves'.")
    if not alt.strip():
        raise ValueError(f"figure {name!r} has no alt text; say in a sentence what a reader sees in it.")


@cache
def script(name: str, *, shared: bool = True) -> str:
    """Return static/``name``, by default after the drawing code that scripts share (figure.js and tools.js)."""
    static = files("kdnb.book") / "static"
    names = ("figure.js", "tools.js", name) if shared else (name,)
    text = "".join((static / one).read_text(encoding="utf-8") for one in names)
    return text.replace("__THEMES__", json.dumps(THEMES))


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


def show(fig: go.Figure, *, name: str, alt: str) -> None:
    """Display ``fig``: natively in JupyterLab and Colab, else as the fragment that the book's page draws.

    name: the figure's id, unique on its page, such as "mu-curves". alt: one sentence for those who cannot see it.
    Plotly text is Unicode and HTML (μ, T<sup>2</sup>); LaTeX stays raw. Raises: ValueError on a bad name or empty alt.
    """
    check_name(name, alt)
    if surroundings.is_live():
        go.Figure(fig).update_layout(template="kdnb").show(config={"displaylogo": False, "responsive": True})
    else:
        display(HTML(fragment(fig, name=name, alt=alt)))
