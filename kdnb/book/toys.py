"""Two toys that need no study, no kernel and no network: what mu does not see, and what one schedule does to r."""

from collections.abc import Mapping
from typing import Any

import ipywidgets as widgets
import numpy as np
import traitlets

from kdnb.book.drawing import plots, script
from kdnb.book.widgets import PlotlyView

_TEACHER = np.array([[2.0, -0.4], [1.1, 1.1], [-0.4, 2.0]])  # classes x features
_STUDENT = np.array([[1.8, -0.2], [1.2, 0.9], [-0.5, 1.7]])
_STYLE = "".join(script(name, shared=False) for name in ("explorer.css", "tools.css", "toys.css"))


class ClassifiersView(PlotlyView):
    """Draws ``data``'s student before and after its features are rotated (degrees), swapped and scaled (the first)."""

    _esm = plots("classifiers.js")
    _css = _STYLE
    data = traitlets.Dict().tag(sync=True)
    angle = traitlets.Int(0).tag(sync=True)
    swap = traitlets.Bool(False).tag(sync=True)
    scale = traitlets.Float(1.0).tag(sync=True)
    name = traitlets.Unicode("toy-classifiers").tag(sync=True)


class TwoTrendsView(PlotlyView):
    """Draws the last of ``draws`` pairs of random curves that ``seed`` starts, and the r of all of them."""

    _esm = plots("two_trends.js")
    _css = _STYLE
    seed = traitlets.Int(0).tag(sync=True)
    draws = traitlets.Int(1).tag(sync=True)
    name = traitlets.Unicode("toy-trends").tag(sync=True)


class Toy(widgets.VBox):  # type: ignore[misc]
    """A view below its ``controls``, each by the name of the trait it moves, linked in JavaScript."""

    def __init__(self, view: PlotlyView, controls: Mapping[str, widgets.Widget]) -> None:
        self.view, self.controls = view, dict(controls)
        for name, control in controls.items():
            widgets.jslink((control, "value"), (view, name))
        row = [widgets.Box(list(controls.values())).add_class("kdnb-toy-controls")] if controls else []
        super().__init__([*row, view], layout=widgets.Layout(width="100%"))
        self.add_class("kdnb-explorer")


def classifiers() -> Toy:
    """Return two classifiers of 3 classes x 2 features, the student's to be rotated, swapped and scaled by hand."""
    look = {"style": {"description_width": "initial"}}
    controls = {
        "angle": widgets.IntSlider(0, 0, 360, 5, description="rotate, degrees", **look),
        "scale": widgets.FloatSlider(1.0, min=0.5, max=2.0, step=0.05, description="scale feature 1", **look),
        "swap": widgets.Checkbox(False, description="swap the features", indent=False),
    }
    return Toy(ClassifiersView(data=_points()), controls)


def two_trends() -> Toy:
    """Return two random curves under one step schedule, drawn again at a button's press."""
    return Toy(TwoTrendsView(), {})


def _points() -> dict[str, Any]:
    """Eight points a class, no feature negative, as the teacher and, a little off, the student see them."""
    rng = np.random.default_rng(0)
    angles = np.deg2rad(np.repeat([13, 45, 77], 8) + rng.uniform(-9, 9, 24))
    known = np.stack([np.cos(angles), np.sin(angles)], 1) * rng.uniform(0.7, 1.9, (24, 1))
    seen = np.maximum(known + rng.normal(0, 0.03, known.shape), 0)
    features = {"teacher_features": known.round(3).tolist(), "student_features": seen.round(3).tolist()}
    return {"teacher": _TEACHER.tolist(), "student": _STUDENT.tolist()} | features
