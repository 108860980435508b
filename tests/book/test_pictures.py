"""Pictures for readers without scripts: every curve is there, where its data are, and nothing is drawn wrongly."""

import re
from typing import Any

import nbformat
import numpy as np
import plotly.graph_objects as go
import pytest
from ipywidgets import Widget
from plotly.subplots import make_subplots

from kdnb.book import export, pictures, widgets
from kdnb.book import fragments as drawn
from kdnb.book.drawing import compact, fragment
from kdnb.figures.exhibit import Exhibit


def draw(fig: go.Figure) -> Any:
    return pictures.draw(compact(fig), "made")


def svg(fig: go.Figure) -> str:
    return pictures.svg(compact(fig), "made", "What is seen.")


def test_every_curve_is_drawn_at_its_data() -> None:
    x = np.linspace(1, 50, 50)
    curves = [np.sin(x), np.cos(x) + 1e-3, np.where(x > 20, x, np.nan)]
    fig = make_subplots(rows=2, cols=1)
    for place, y in enumerate(curves):
        fig.add_trace(go.Scatter(x=x, y=y, mode="lines"), row=1 + place % 2, col=1)
    upper, lower = draw(fig).axes
    for line, y in zip([upper.lines[0], lower.lines[0], upper.lines[1]], curves, strict=True):
        np.testing.assert_allclose(line.get_xdata(), x, rtol=1e-6)
        np.testing.assert_allclose(line.get_ydata(), y, rtol=1e-6)
    assert re.findall(r'id="(made-trace-\d)"', svg(fig)) == ["made-trace-0", "made-trace-2", "made-trace-1"]


def test_a_point_stands_where_its_value_is() -> None:
    fig = go.Figure(go.Scatter(x=[0, 10], y=[0, 5], mode="lines"))
    fig.update_xaxes(range=[0, 20]).update_yaxes(range=[0, 10]).update_layout(margin={"l": 0})
    figure = draw(fig)
    (axes,) = figure.axes
    box = axes.get_window_extent()
    path = re.search(r'<g id="made-trace-0">\s*<path d="M ?([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)', svg(fig))
    assert path
    x0, y0, x1, y1 = map(float, path.groups())
    assert x1 - x0 == pytest.approx(box.width / 2, abs=0.2) and y0 - y1 == pytest.approx(box.height / 2, abs=0.2)


def test_numbers_in_the_text_are_left_alone() -> None:
    fig = go.Figure(go.Scatter(x=[1, 2], y=[1, 2])).update_layout(
        title="n = 2 runs, r = -0.4573 at 1.2345, a price of $3"
    )
    text = svg(fig)
    assert "r = -0.4573 at 1.2345" in text and "$3" in text


def test_axes_keep_scale_range_and_names() -> None:
    fig = go.Figure(go.Bar(x=["b", "a"], y=[1, 2]))
    fig.update_yaxes(type="log", range=[-1, 2], title_text="‖W<sub>s</sub>‖<sup>2</sup>")
    (axes,) = draw(fig).axes
    assert axes.get_yscale() == "log" and axes.get_ylim() == pytest.approx((0.1, 100))
    assert [label.get_text() for label in axes.get_xticklabels()] == ["b", "a"]
    assert axes.get_ylabel() == "‖Wₛ‖²"


def test_ticks_stand_at_the_categories_that_are_named() -> None:
    z = [[1, 2, None], [3, 4, 5]]
    fig = go.Figure(go.Heatmap(x=["a", "b", "c"], y=["d", "e"], z=z, colorscale="Viridis"))
    fig.update_xaxes(tickvals=["c", "a"], ticktext=["last", "first"]).update_yaxes(tickvals=["e"])
    axes = draw(fig).axes[0]
    ticks = {label.get_text(): label.get_position()[0] for label in axes.get_xticklabels()}
    assert ticks == {"last": 2, "first": 0} and [label.get_text() for label in axes.get_yticklabels()] == ["e"]
    drawn = axes.images[0].get_array()
    assert drawn[1].tolist() == [3, 4, 5] and np.ma.getmaskarray(drawn).tolist() == [[False, False, True], [False] * 3]


def test_numbered_ticks_may_have_texts() -> None:
    fig = go.Figure(go.Scatter(x=[0, 10], y=[0, 1], mode="lines")).update_xaxes(
        tickvals=[0, 5], ticktext=["no", "half"]
    )
    labels = draw(fig).axes[0].get_xticklabels()
    assert [(label.get_text(), label.get_position()[0]) for label in labels] == [("no", 0), ("half", 5)]


def test_only_a_shape_above_hides_what_is_drawn() -> None:
    fig = go.Figure(go.Heatmap(z=[[1, 2], [3, 4]], colorscale="Viridis"))
    fig.add_hline(0.5, layer="above").add_vline(0.5)
    figure = draw(fig)
    above, below = (shape.get_zorder() for shape in figure.artists)
    assert above > 0 > below


def test_matching_axes_share_a_range_and_a_reversed_one_runs_down() -> None:
    fig = make_subplots(rows=2, cols=1, shared_xaxes=True)
    fig.add_trace(go.Scatter(x=[1, 2], y=[1, 2], mode="lines"), 1, 1)
    fig.add_trace(go.Scatter(x=[5, 9], y=[1, 2], mode="lines"), 2, 1)
    fig.update_yaxes(autorange="reversed", row=2)
    upper, lower = draw(fig).axes
    assert upper.get_xlim() == lower.get_xlim() == (1, 9)
    assert lower.get_ylim()[0] > lower.get_ylim()[1] and upper.get_ylim()[0] < upper.get_ylim()[1]


def test_bars_of_one_sign_stand_on_each_other() -> None:
    fig = go.Figure([go.Bar(x=["a"], y=[2]), go.Bar(x=["a"], y=[-1]), go.Bar(x=["a"], y=[3])]).update_layout(
        barmode="relative"
    )
    bars = [(bar.get_y(), bar.get_height()) for bar in draw(fig).axes[0].patches]
    assert bars == [(0, 2), (0, -1), (2, 3)]


def test_a_line_keeps_its_look_and_its_opacity() -> None:
    look = {"color": "rgba(10, 20, 30, 0.5)", "dash": "dot", "width": 3}
    fig = go.Figure(go.Scatter(x=[1, 2], y=[1, 2], mode="lines", line=look, opacity=0.5))
    (line,) = draw(fig).axes[0].lines
    assert line.get_color() == pytest.approx((10 / 255, 20 / 255, 30 / 255, 0.25))
    assert line.get_linewidth() == 3 and line.is_dashed()


def test_shapes_and_notes_stand_in_their_own_coordinates() -> None:
    fig = make_subplots(rows=1, cols=2, subplot_titles=["left", "right"])
    for col in (1, 2):
        fig.add_trace(go.Scatter(x=[0, 10], y=[0, 1], mode="lines"), 1, col)
    fig.add_vline(5, col=2)
    figure = draw(fig)
    right = figure.axes[1].get_window_extent()
    (across,) = [shape for shape in figure.artists]
    ends = across.get_transform().transform(across.get_xydata())
    assert ends[:, 0] == pytest.approx((right.x0 + right.x1) / 2, abs=0.5)
    assert ends[:, 1] == pytest.approx([right.y0, right.y1], abs=0.5)
    titles = {text.get_text(): text.get_window_extent().x0 for text in figure.texts if text.get_text()}
    assert list(titles) == ["left", "right"] and titles["left"] < titles["right"]


def test_the_legend_names_each_trace_once() -> None:
    traces = [go.Scatter(y=[1, 2], name=name, mode="lines") for name in ("one", "two", "one")]
    (legend,) = draw(go.Figure([*traces, go.Scatter(y=[1], name="quiet", showlegend=False)])).legends
    assert [text.get_text() for text in legend.get_texts()] == ["one", "two"]


def test_a_picture_is_small_and_keeps_its_text_when_there_are_many_points() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(2, 5000))
    text = svg(go.Figure(go.Scatter(x=points[0], y=points[1], mode="markers", name="many", showlegend=True)))
    assert len(text) < 60_000 and "data:image/png" in text and re.search(r">many</(text|tspan)>", text)


def test_marks_that_look_alike_say_so_once_and_others_each() -> None:
    alike = go.Scatter(x=list(range(30)), y=list(range(30)), mode="markers", marker={"color": "#123456", "size": 5})
    text = svg(go.Figure(alike))
    assert text.count("<use") >= 30 and text.count("fill: #123456") == 1
    colors = [f"#12345{place % 3}" for place in range(30)]
    text = svg(go.Figure(alike.update(marker={"color": colors})))
    assert [text.count(f"fill: #12345{place}") for place in range(3)] == [10, 10, 10]


def test_drawing_twice_gives_the_same_bytes() -> None:
    fig = go.Figure(go.Scatter(y=[1, 3, 2]))
    assert svg(fig) == svg(fig)


@pytest.mark.parametrize(
    ("trace", "message"),
    [
        (go.Pie(values=[1, 2]), "knows no trace of type 'pie', only scatter, scattergl, bar, heatmap, image"),
        (go.Scatter(y=[1], mode="markers+text"), "mode 'markers\\+text'; a picture knows lines and markers, not text"),
        (go.Scatter(y=[1], mode="markers", marker_symbol="star"), "marker 'star' has no counterpart"),
    ],
)
def test_what_a_picture_cannot_show_is_refused_by_name(trace: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"figure 'made' has no static picture: .*{message}"):
        svg(go.Figure(trace))


def test_an_arrow_is_refused() -> None:
    fig = go.Figure(go.Scatter(y=[1])).add_annotation(text="here", x=0, y=1)
    with pytest.raises(ValueError, match="the note 'here' has an arrow"):
        svg(fig)


def executed() -> Any:
    """A notebook with a fragment and a stepper that starts at its second figure."""
    figures = [go.Figure(go.Scatter(x=[0, 1], y=[0, t])).update_layout(meta={"runs": [f"run-{t}"]}) for t in (1, 2)]
    before = set(Widget.get_manager_state()["state"])
    made = widgets.stepper(
        Exhibit(dict(zip(["one", "two"], figures, strict=True)), step="T", name="steep", alt="A line.", start="two")
    )
    state = {key: value for key, value in Widget.get_manager_state()["state"].items() if key not in before}
    outputs = [
        nbformat.v4.new_output("display_data", {"text/html": fragment(figures[0], name="flat", alt='A "line".')}),
        nbformat.v4.new_output("display_data", {drawn.VIEW: {"model_id": made.model_id}}),
    ]
    cell = nbformat.v4.new_code_cell("", outputs=outputs)
    return nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": {drawn.STATE: {"state": state}}})


def test_a_notebooks_figures_are_found_as_they_are_first_shown() -> None:
    flat, steep = drawn.figures(executed())
    assert (flat.name, flat.alt, flat.spec["data"][0]["y"]) == ("flat", 'A "line".', [0, 1])
    assert (steep.name, steep.alt, steep.spec["data"][0]["y"]) == ("steep", "A line. Shown: two.", [0, 2])
    assert [step["layout"]["meta"] for step in steep.steps] == [{"runs": ["run-1"]}, {"runs": ["run-2"]}]


def test_pictures_go_beside_their_figures_for_those_without_scripts() -> None:
    made = executed()
    export.illustrate(made)
    flat, steep, beside = made.cells[0].outputs
    assert "<noscript><style>#flat{display:none}</style><svg" in flat.data["text/html"]
    assert steep.data.keys() == {drawn.VIEW}
    assert beside.data["text/html"].startswith('<noscript><div id="steep"><svg')
    assert 'aria-label="A line. Shown: two."' in beside.data["text/html"]


def test_a_widget_without_figures_says_that_it_needs_scripts() -> None:
    output = nbformat.v4.new_output("display_data", {drawn.VIEW: {"model_id": "unknown"}})
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=[output])])
    export.illustrate(made)
    assert "needs scripts" in made.cells[0].outputs[1].data["text/html"]
