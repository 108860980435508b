"""The stepper: nothing is lost in packing, everything is linked in JavaScript, and its saved state is small."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from ipywidgets import Widget

from kdnb.book import drawing, widgets
from kdnb.figures.exhibit import Exhibit


def figures(count: int = 5, points: int = 400) -> list[go.Figure]:
    rng = np.random.default_rng(0)
    x = np.arange(points, dtype=float)
    return [
        go.Figure([go.Scatter(x=x, y=rng.normal(size=points), name="a"), go.Bar(y=[t])]).update_layout(
            title=f"T = {t}", xaxis_title="epoch"
        )
        for t in range(count)
    ]


def steps(count: int, points: int = 400) -> Exhibit:
    made = {f"{place}": figure for place, figure in enumerate(figures(count, points))}
    return Exhibit(made, step="T", name="steps", alt="Steps.")


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
    assert [unpacked(packed, i) for i in range(len(made))] == [drawing.compact(figure) for figure in made]


def test_packing_loses_nothing_when_traces_differ_in_number() -> None:
    made = [go.Figure(), go.Figure([go.Bar(y=[1])]), go.Figure([go.Bar(y=[1]), go.Bar(y=[2])])]
    packed = widgets.pack(made)
    assert [unpacked(packed, i) for i in range(3)] == [drawing.compact(figure) for figure in made]


def test_packing_stores_what_is_shared_once() -> None:
    packed = widgets.pack(figures(count=10, points=1000))
    shared = json.dumps(packed["data"][0]["x"])
    assert json.dumps(packed).count(shared) == 1
    assert packed["layout"] == {"xaxis": {"title": {"text": "epoch"}}}


def test_slider_play_and_view_are_linked_in_javascript() -> None:
    before = set(Widget.get_manager_state()["state"])
    made = widgets.stepper(steps(5))
    state = {key: value for key, value in Widget.get_manager_state()["state"].items() if key not in before}
    links = {
        (tuple(item["state"]["source"]), tuple(item["state"]["target"]))
        for item in state.values()
        if item["model_name"] == "LinkModel"
    }
    play, slider, view = (f"IPY_MODEL_{widget.model_id}" for widget in (made.play, made.slider, made.view))
    assert links == {((play, "value"), (slider, "index")), ((slider, "index"), (view, "index"))}


def test_state_is_small_and_holds_no_library() -> None:
    view = widgets.stepper(steps(2, 10)).view
    assert len(json.dumps(view.get_state(), default=str)) < 25_000


def test_single_figure_is_a_stepper_too() -> None:
    made = widgets.stepper(steps(1))
    assert made.play.max == 0 and unpacked(made.view.figures, 0)["layout"]["title"] == {"text": "T = 0"}


def test_a_start_that_is_no_label_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown start '9'"):
        widgets.stepper(replace(steps(2), start="9"))


@pytest.mark.parametrize("stacks", [True, False], ids=["ipywidgets 8", "ipywidgets 7"])
def test_a_menu_shows_one_at_a_time(stacks: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """In ipywidgets 7, which Colab has, there is no stack; the kernel takes its place."""
    if not stacks:
        monkeypatch.delattr(widgets.widgets, "Stack")
    one, other = widgets.stepper(steps(2)), widgets.view(replace(steps(1), name="alone"))
    menu = widgets.menu({"one": one, "other": other}, "study")
    chosen, seen = menu.children
    assert chosen.options == ("one", "other")
    assert chosen._dom_classes == ("shows-steps", "shows-alone")  # for links to what is not on the page
    if stacks:
        assert seen.children == (one, other) and seen.selected_index == 0
    else:
        assert seen.children == (one,)
        chosen.index = 1
        assert seen.children == (other,)
