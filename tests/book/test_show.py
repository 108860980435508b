"""How figures are shown: which way is chosen, and what the fragment of a static page holds."""

import base64
import gzip
import html
import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from plotly.offline import get_plotlyjs

from kdnb import surroundings
from kdnb.book import drawing, show, widgets
from kdnb.figures.exhibit import Exhibit

BARS = Exhibit(go.Figure(go.Bar(y=[1])), name="bars", alt="A bar.")
PLACES = ("KDNB_DISPLAY", "JPY_SESSION_NAME", "VSCODE_PID")


@pytest.fixture(autouse=True)
def bare_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PLACES:
        monkeypatch.delenv(name, raising=False)


def embedded(text: str) -> dict[str, Any]:
    match = re.search(r'<script type="application/json" data-kdnb-figure="[^"]+">(.*?)</script>', text, re.S)
    assert match
    found: dict[str, Any] = json.loads(match[1])
    return found


@pytest.mark.parametrize(
    ("environment", "live"),
    [
        ({}, False),
        ({"KDNB_DISPLAY": "live"}, True),
        ({"JPY_SESSION_NAME": "/a.ipynb"}, True),
        ({"VSCODE_PID": "7"}, True),
        ({"JPY_SESSION_NAME": "/a.ipynb", "KDNB_DISPLAY": "static"}, False),
    ],
)
def test_place_decides(environment: dict[str, str], live: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert surroundings.is_live() is live


def test_colab_is_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "google.colab", object())
    assert surroundings.is_live()


def test_unknown_place_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDNB_DISPLAY", "statik")
    with pytest.raises(ValueError, match="'statik'; known: live, static. Did you mean 'static'"):
        surroundings.is_live()


def test_fragment_names_and_describes_the_figure() -> None:
    text = drawing.fragment(go.Figure(go.Bar(y=[1])), name="bars", alt='A bar, "tall" & <wide>.')
    assert '<div id="bars"' in text and 'role="figure"' in text
    (label,) = re.findall(r'aria-label="([^"]*)"', text)
    assert html.unescape(label) == 'A bar, "tall" & <wide>.'


def test_fragment_keeps_the_figure_and_no_script() -> None:
    figure = go.Figure(go.Scatter(x=[1, 2], y=[3, 4])).update_layout(title="μ </script><b>", height=300)
    text = drawing.fragment(figure, name="line", alt="A line.")
    spec = embedded(text)
    assert spec["layout"] == {"title": {"text": "μ </script><b>"}, "height": 300}
    assert spec["data"] == [{"type": "scatter", "x": [1, 2], "y": [3, 4]}]
    assert text.count("<script") == 1 and "min-height:300px" in text


def test_numbers_survive_to_single_precision_at_half_the_size() -> None:
    values = np.random.default_rng(0).normal(size=1000)
    spec = drawing.compact(go.Figure(go.Scatter(y=values)))
    packed = spec["data"][0]["y"]
    assert packed["dtype"] == "f4"
    kept = np.frombuffer(base64.b64decode(packed["bdata"]), np.float32)
    np.testing.assert_allclose(kept, values, rtol=1e-6)
    assert len(packed["bdata"]) < 1000 * 4 * 1.4


def test_show_writes_the_figure_then_its_words_then_its_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDNB_DISPLAY", "static")
    shown: list[Any] = []
    monkeypatch.setattr(show, "display", shown.append)
    show.show(replace(BARS, says="One bar.", table="<table></table>", answer="**Yes.**"))
    assert [type(output).__name__ for output in shown] == ["Markdown", "HTML", "Markdown", "HTML"]
    assert [output.data for output in shown if 'id="bars"' not in output.data] == [
        "**Yes.**",
        "One bar.",
        "<table></table>",
    ]


@pytest.mark.parametrize(("brief", "told"), [("**Yes.**", "Yes."), ("", "Yes, by 3.")])
def test_a_chapter_s_opening_recalls_an_answer_in_brief_where_it_can_be(
    brief: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(show, "display", shown.append)
    show.recall("Is it?", Exhibit(answer="**Yes, by 3.**", brief=brief))
    assert [one.data for one in shown] == [f"*Is it?* {told}"]


def test_several_figures_are_a_stepper_and_none_is_words_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDNB_DISPLAY", "static")
    shown: list[Any] = []
    monkeypatch.setattr(show, "display", shown.append)
    show.show(replace(BARS, figure={"1": go.Figure(), "2": go.Figure()}))
    show.show(Exhibit(says="There is nothing to draw."))
    assert [type(output).__name__ for output in shown] == ["Stepper", "Markdown"]


def test_a_live_figure_is_a_widget_with_plotly_from_the_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDNB_DISPLAY", "live")
    figure = go.Figure(go.Bar(y=[1]))
    before = figure.to_json()
    shown: list[widgets.FigureView] = []
    monkeypatch.setattr(show, "display", shown.append)
    show.show(replace(BARS, figure=figure))
    show.show(BARS)
    first, second = shown
    assert (first.name, first.alt, first.figures["steps"][0]["data"]) == ("bars", "A bar.", [{}])
    assert first.source is second.source and gzip.decompress(first.source.gzipped).decode() == get_plotlyjs()
    assert figure.to_json() == before


def test_a_figure_for_a_page_brings_no_plotly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDNB_DISPLAY", "static")
    assert widgets.view(BARS).source is None


def test_of_several_studies_all_answers_are_shown_and_a_menu_chooses_the_figure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KDNB_DISPLAY", "static")
    shown: list[Any] = []
    monkeypatch.setattr(show, "display", shown.append)
    studies = [
        replace(BARS, of=of, name=f"bars-{of}", answer=f"**{of}!**", says="A bar.", table="<table></table>")
        for of in ("first", "second")
    ]
    show.show(*studies)
    kinds = [type(output).__name__ for output in shown]
    assert kinds == ["Markdown", "Markdown", "VBox", "Markdown", "HTML", "Markdown", "HTML"]
    assert [output.data for output in shown[:2]] == ["*first*: **first!**", "*second*: **second!**"]
    chooser, stack = shown[2].children
    assert list(chooser.options) == ["first", "second"] and stack.selected_index == 0
    assert [view.name for view in stack.children] == ["bars-first", "bars-second"]


@pytest.mark.parametrize(("changes", "message"), [({"name": "A b"}, "'A b' must be"), ({"alt": " "}, "no alt text")])
def test_a_bad_name_or_a_missing_alt_is_refused(changes: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        show.show(replace(BARS, **changes))


def contrast(first: str, second: str) -> float:
    """The WCAG 2 contrast of two colours #rrggbb, from 1 to 21."""

    def luminance(colour: str) -> float:
        parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("theme", "page"), [("light", "#ffffff"), ("dark", "#14181e")])
def test_text_is_readable_on_both_grounds(theme: str, page: str) -> None:
    layout = drawing.THEMES[theme]["layout"]
    assert contrast(layout["font"]["color"], page) >= 7
    assert contrast(layout["hoverlabel"]["font"]["color"], layout["hoverlabel"]["bgcolor"]) >= 7


def test_template_is_one_that_plotly_knows() -> None:
    for theme in drawing.THEMES.values():
        assert go.layout.Template(theme).layout.font.family == drawing.FONT  # raises on an unknown property
