"""The stepper: a slider over a sequence of figures that lives without a kernel and without a network.

A static page has no Python: only links between widgets in JavaScript work there. The stepper is an ipywidgets slider
and a play button linked to a small anywidget that holds all figures as JSON and draws one of them with the page's
Plotly. In JupyterLab and Colab Python callbacks on its ``slider`` work as well.
"""

import sys
from collections.abc import Sequence
from typing import Any

import anywidget
import ipywidgets as widgets
import plotly.graph_objects as go
import traitlets
from plotly.offline import get_plotlyjs_version

from kdnb.checks import choice
from kdnb.display import check_name, compact, script


def _shared(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    first, *others = parts
    return {key: value for key, value in first.items() if all(key in o and o[key] == value for o in others)}


def _own(part: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in part.items() if key not in shared}


def pack(figures: Sequence[go.Figure]) -> dict[str, Any]:
    """Return ``figures`` as {layout, data, steps}: what all share once, and each one's own part.

    A step's figure is its own traces and layout laid over the shared ones. Figures may have different numbers of
    traces; then traces share nothing.
    """
    specs = [compact(figure) for figure in figures]
    layout = _shared([spec["layout"] for spec in specs])
    width = len(specs[0]["data"])
    alike = all(len(spec["data"]) == width for spec in specs)
    data = [_shared([spec["data"][i] for spec in specs]) for i in range(width)] if alike else []
    empty: dict[str, Any] = {}
    steps = [
        {
            "layout": _own(spec["layout"], layout),
            "data": [_own(trace, data[i] if alike else empty) for i, trace in enumerate(spec["data"])],
        }
        for spec in specs
    ]
    return {"layout": layout, "data": data, "steps": steps}


class FigureView(anywidget.AnyWidget):
    """Draws figure number ``index`` of ``figures`` (packed by `pack`) with the page's Plotly."""

    _esm = script("stepper.js")
    figures = traitlets.Dict().tag(sync=True)
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    index = traitlets.Int(0).tag(sync=True)
    name = traitlets.Unicode().tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
    plotly = traitlets.Unicode(get_plotlyjs_version()).tag(sync=True)


class Stepper(widgets.VBox):  # type: ignore[misc]
    """A slider, a play button and the view they move, linked in JavaScript."""

    def __init__(self, view: FigureView, slider: widgets.SelectionSlider, play: widgets.Play) -> None:
        self.view, self.slider, self.play = view, slider, play
        links = [((play, "value"), (slider, "index")), ((slider, "index"), (view, "index"))]
        for source, target in links:
            widgets.jslink(source, target)
        row = widgets.HBox(
            [play, slider], layout=widgets.Layout(align_items="center", width="100%", flex_flow="row wrap")
        )
        super().__init__([row, view], layout=widgets.Layout(width="100%"))


def _enable_colab() -> None:
    if colab := sys.modules.get("google.colab"):
        colab.output.enable_custom_widget_manager()


def _check(figures: Sequence[go.Figure], labels: Sequence[str]) -> None:
    if not figures or len(figures) != len(labels):
        raise ValueError(
            f"stepper got {len(figures)} figures and {len(labels)} labels; give one label a figure, at least one."
        )
    if len(set(labels)) != len(labels):
        raise ValueError(f"stepper's labels {list(labels)!r} repeat; the slider needs a different one for each figure.")


def stepper(
    figures: Sequence[go.Figure],
    labels: Sequence[str],
    *,
    description: str,
    name: str,
    alt: str,
    start: str | None = None,
) -> Stepper:
    """Return a widget that shows one of ``figures`` at a time, chosen with a slider or played.

    figures: alike in kind; what they share is stored once. labels: one a figure, all different, shown beside the
    slider. description: the slider's caption. name: the id of the drawing on its page. alt: one sentence for those
    who cannot see it. start: the label shown at first; None: the first one. Raises: ValueError when figures and labels
    do not match, when ``start`` is no label, on a bad name, or an empty alt.
    """
    check_name(name, alt)
    _check(figures, labels)
    _enable_colab()
    index = 0 if start is None else labels.index(choice("start", start, labels))
    view = FigureView(figures=pack(figures), labels=list(labels), name=name, alt=alt, index=index)
    slider = widgets.SelectionSlider(
        options=list(labels),
        index=index,
        description=description,
        continuous_update=True,
        style={"description_width": "initial"},
        layout=widgets.Layout(width="auto", flex="1 1 220px", min_width="0", margin="0 0 0 12px"),
    )
    play = widgets.Play(value=index, min=0, max=len(labels) - 1, interval=900, show_repeat=True)
    return Stepper(view, slider, play)
