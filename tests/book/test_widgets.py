"""The stepper: nothing is lost in packing, everything is linked in JavaScript, and its saved state is small."""

import json
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from ipywidgets import Widget

from kdnb.book import show, widgets


def figures(count: int = 5, points: int = 400) -> list[go.Figure]:
    rng = np.random.default_rng(0)
    x = np.arange(points, dtype=float)
    return [
        go.Figure([go.Scatter(x=x, y=rng.normal(size=points), name="a"), go.Bar(y=[t])]).update_layout(
            title=f"T = {t}", xaxis_title="epoch"
        )
        for t in range(count)
    ]


def unpacked(packed: dict[str, Any], index: int) -> dict[str, Any]:
    """What stepper.js draws, written out in Python."""
    step = packed["steps"][index]
    shared = packed["data"] or [{}] * len(step["data"])
    return {
        "data": [whole | own for whole, own in zip(shared, step["data"], strict=True)],
        "layout": packed["layout"] | step["layout"],
    }


def test_packing_loses_nothing() -> None:
    made = figures()
    packed = widgets.pack(made)
    assert [unpacked(packed, i) for i in range(len(made))] == [show.compact(figure) for figure in made]


def test_packing_loses_nothing_when_traces_differ_in_number() -> None:
    made = [go.Figure(), go.Figure([go.Bar(y=[1])]), go.Figure([go.Bar(y=[1]), go.Bar(y=[2])])]
    packed = widgets.pack(made)
    assert [unpacked(packed, i) for i in range(3)] == [show.compact(figure) for figure in made]


def test_packing_stores_what_is_shared_once() -> None:
    packed = widgets.pack(figures(count=10, points=1000))
    shared = json.dumps(packed["data"][0]["x"])
    assert json.dumps(packed).count(shared) == 1
    assert packed["layout"] == {"xaxis": {"title": {"text": "epoch"}}}


def test_slider_play_and_view_are_linked_in_javascript() -> None:
    before = set(Widget.get_manager_state()["state"])
    made = widgets.stepper(figures(), list("abcde"), description="T", name="steps", alt="Steps.")
    state = {key: value for key, value in Widget.get_manager_state()["state"].items() if key not in before}
    links = {
        (tuple(item["state"]["source"]), tuple(item["state"]["target"]))
        for item in state.values()
        if item["model_name"] == "LinkModel"
    }
    play, slider, view = (f"IPY_MODEL_{widget.model_id}" for widget in (made.play, made.slider, made.view))
    assert links == {((play, "value"), (slider, "index")), ((slider, "index"), (view, "index"))}


def test_state_is_small_and_holds_no_library() -> None:
    view = widgets.stepper(figures(2, 10), ["1", "2"], description="T", name="small", alt="Steps.").view
    assert len(json.dumps(view.get_state(), default=str)) < 20_000


def test_single_figure_is_a_stepper_too() -> None:
    made = widgets.stepper(figures(1), ["only"], description="T", name="one", alt="One.")
    assert made.play.max == 0 and unpacked(made.view.figures, 0)["layout"]["title"] == {"text": "T = 0"}


@pytest.mark.parametrize(
    ("labels", "message"),
    [(["1"], "2 figures and 1 labels"), (["1", "1"], r"\['1', '1'\] repeat")],
)
def test_labels_that_do_not_fit_are_refused(labels: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        widgets.stepper(figures(2), labels, description="T", name="bad", alt="Bad.")


def test_no_figures_are_refused() -> None:
    with pytest.raises(ValueError, match="0 figures and 0 labels; give one label a figure, at least one"):
        widgets.stepper([], [], description="T", name="bad", alt="Bad.")


def test_bad_name_and_alt_are_refused() -> None:
    with pytest.raises(ValueError, match="'A b' must be lower-case"):
        widgets.stepper(figures(1), ["1"], description="T", name="A b", alt="Bad.")
    with pytest.raises(ValueError, match="no alt text"):
        widgets.stepper(figures(1), ["1"], description="T", name="bad", alt="")
