"""What stands under every figure, in Chromium: its CSV equals the data, its table is one, its pictures are light."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from browser import Read, Reading
from plotly.offline import get_plotlyjs
from plotly.subplots import make_subplots

from kdnb.book.drawing import fragment, script
from kdnb.figures import style

ALT = "Two curves."
RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=400) * 10.0 ** RNG.integers(-6, 6, 400)


def curves() -> go.Figure:
    """Typed arrays above, plain lists with a gap, texts and error bars below; a menu; where it is from."""
    fig = make_subplots(rows=2, cols=1, subplot_titles=["above", "below"])
    fig.add_trace(go.Scatter(x=np.arange(400), y=VALUES, name='a "b", c', mode="lines"), 1, 1)
    bars = {"type": "data", "array": [0.5, 1, 2], "arrayminus": [0.25, 0.5, 1]}
    fig.add_trace(
        go.Scatter(x=["u", "v", "w"], y=[1, None, 3], text=["p", "q\nr", "s"], error_y=bars, name="μ<sub>s</sub>"), 2, 1
    )
    button = {"label": "ones", "method": "restyle", "args": [{"y": [[1, 1, 1]]}, [1]]}
    fig.update_layout(updatemenus=[{"buttons": [button]}], height=420, meta={"runs": ["run-1", "run-2"], "seeds": [0]})
    return fig.update_xaxes(title_text="epoch", row=2)


def coloured() -> go.Figure:
    look = {"color": [3, 4], "showscale": True, "colorbar": {"title": {"text": "epoch"}}}
    fig = go.Figure(go.Scatter(x=[1, 2], y=[5, 6], mode="markers", marker=look, name="run"))
    return fig.add_scatter(x=[None], y=[None], name="a mark that stands in the legend alone")


def turned() -> go.Figure:
    """Rows with names, as `intervals.turned` draws them: a mean with its interval between two named heights."""
    bars = {"type": "data", "array": [0.25], "arrayminus": [0.5]}
    fig = go.Figure(
        go.Scatter(x=[1.5], y=[-0.8], error_x=bars, customdata=[["W<sub>t</sub>", "1.5 (n = 3)"]], name="seeds")
    )
    return fig.update_yaxes(tickvals=[0, -1], ticktext=["its own", "W<sub>t</sub>, turned"])


def shares() -> go.Figure:
    """Shares upwards in per cent, a logarithmic axis across; hovers leave it to the axes how numbers are written."""
    fig = go.Figure(go.Scatter(x=[1234.5678], y=[0.71234], hovertemplate="%{x}: %{y}<extra></extra>"))
    return fig.update_xaxes(type="log").update_yaxes(**style.shares(".0%"))


def panels() -> go.Figure:
    """Upright axes that say the same; in front, and hidden by the reader, what is drawn once more."""
    fig = make_subplots(rows=2, cols=1)
    for row, across in enumerate(("raw μ", "rotated μ"), start=1):
        for look in ({"opacity": 0.5}, {}, {"visible": "legendonly", "name": "hidden"}):
            fig.add_trace(go.Scatter({"x": [row, 2], "y": [0.5, 0.6], "name": "KD", **look}), row, 1)
        fig.update_xaxes(title_text=across, row=row)
    return fig.update_yaxes(title_text="accuracy")


def maps() -> go.Figure:
    """One scale along both axes, so that they leave a part of their room empty."""
    fig = make_subplots(rows=1, cols=2, subplot_titles=["normal", "T=4"])
    fig.add_traces([go.Scatter(x=[1], y=[1], name="class 0")] * 2, rows=1, cols=[1, 2])
    style.map_axes(fig, 2)
    return fig


FIGURES = {
    "curves": curves(),
    "turned": turned(),
    "coloured": coloured(),
    "shares": shares(),
    "panels": panels(),
    "maps": maps(),
    "heat": go.Figure(go.Heatmap(x=["a", "b"], y=["c", "d"], z=np.array([[1.5, 2], [3, 4]]), name="cosine")),
}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of figures, its scripts and its style as the book has them."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "vendor").mkdir()
    (folder / "vendor" / "plotly.min.js").write_text(get_plotlyjs(), encoding="utf-8")
    style = script("page.css", shared=False) + script("tools.css", shared=False)
    scripts = script("access.js", shared=False) + script("page.js")
    (folder / "kdnb.js").write_text(f"(() => {{{scripts}}})();", encoding="utf-8")
    figures = "".join(fragment(figure, name=name, alt=ALT) for name, figure in FIGURES.items())
    head = f'<meta charset="utf-8"><title>Figures</title><style>{style}</style><script src="kdnb.js"></script>'
    (folder / "page.html").write_text(f'<!doctype html><html lang="en">{head}{figures}</html>', encoding="utf-8")
    return folder / "page.html"


def opened(reading: Reading, page: Path, name: str = "curves") -> Any:
    """The strip under a figure, opened with the keyboard."""
    reading.open(page)
    strip = reading.page.locator(f"#{name} + .kdnb-tools")
    strip.locator("summary").focus()
    reading.page.keyboard.press("Enter")
    strip.locator("caption").wait_for(state="attached")  # it is filled only after it has opened
    return strip


def kept(reading: Reading, strip: Any, what: str) -> tuple[str, bytes]:
    with reading.page.expect_download() as waiting:
        strip.get_by_role("button", name=what).click()
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()


def rows(reading: Reading, strip: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(kept(reading, strip, "CSV")[1].decode())))


def test_the_csv_is_the_data(page: Path, read: Read) -> None:
    reading = read()
    found = rows(reading, opened(reading, page))
    assert list(found[0]) == ["panel", "trace", "x", "y", "text", "above", "below"]
    above = [row for row in found if row["panel"] == "above"]
    assert {row["trace"] for row in above} == {'a "b", c'} and [row["x"] for row in above] == list(map(str, range(400)))
    np.testing.assert_array_equal(np.array([row["y"] for row in above], np.float32), VALUES.astype(np.float32))
    assert max(len(row["y"].lstrip("-")) for row in above) <= 16
    assert [list(row.values()) for row in found if row["panel"] == "below"] == [
        ["below", "μs", "u", "1", "p", "0.5", "0.25"],
        ["below", "μs", "v", "", "q\nr", "1", "0.5"],
        ["below", "μs", "w", "3", "s", "2", "1"],
    ]
    reading.check()


def test_named_rows_keep_their_names_and_their_intervals(page: Path, read: Read) -> None:
    reading = read()
    assert rows(reading, opened(reading, page, "turned")) == [
        dict(trace="seeds", x="1.5", y="Wt, turned", customdata="Wt, 1.5 (n = 3)", above="0.25", below="0.5")
    ]


def test_colours_that_are_numbers_and_heat_maps_are_data_too(page: Path, read: Read) -> None:
    reading = read()
    found = rows(reading, opened(reading, page, "coloured"))
    assert found == [dict(trace="run", x=x, y=y, epoch=e) for x, y, e in (("1", "5", "3"), ("2", "6", "4"))]
    heat = rows(reading, opened(reading, page, "heat"))
    assert [(row["x"], row["y"], row["z"]) for row in heat] == [
        ("a", "c", "1.5"), ("b", "c", "2"), ("a", "d", "3"), ("b", "d", "4"),
    ]  # fmt: skip


def test_panels_are_told_apart_and_nothing_is_told_twice_nor_what_is_hidden(page: Path, read: Read) -> None:
    reading = read()
    titles = ["accuracy against raw μ", "accuracy against rotated μ"]
    assert rows(reading, opened(reading, page, "panels")) == [
        dict(panel=title, trace="KD", x=x, y=y)
        for title, first in zip(titles, "12", strict=True)
        for x, y in ((first, "0.5"), ("2", "0.6"))
    ]
    assert [row["panel"] for row in rows(reading, opened(reading, page, "maps"))] == ["normal", "T=4"]


def test_a_hover_writes_a_number_as_its_axis_does(page: Path, read: Read) -> None:
    reading = read()
    reading.open(page)
    reading.page.evaluate("Plotly.Fx.hover('shares', [{curveNumber: 0, pointNumber: 0}])")
    assert reading.page.locator("#shares .hovertext").text_content() == "1235: 71.23%"


def test_csv_and_table_follow_what_is_drawn(page: Path, read: Read) -> None:
    reading = read()
    strip = opened(reading, page, "coloured")
    reading.page.evaluate("Plotly.restyle('coloured', {y: [[7, 8]]}, [0])")
    strip.get_by_role("cell", name="8", exact=True).wait_for()
    assert [row["y"] for row in rows(reading, strip)] == ["7", "8"]


def test_the_table_has_a_caption_and_heads_and_is_capped(page: Path, reading: Reading) -> None:
    table = opened(reading, page).get_by_role("table")
    caption = table.locator("caption").inner_text()
    assert caption.startswith(ALT) and "x: epoch." in caption and "first 300 of 403 rows; the CSV has all" in caption
    assert table.locator("tbody tr").count() == 300
    assert table.locator("th[scope=col]").all_inner_texts()[:4] == ["panel", "trace", "x", "y"]
    region = reading.page.get_by_role("region", name="Data of curves")
    region.focus()
    reading.page.keyboard.press("PageDown")
    reading.page.wait_for_function("document.activeElement.scrollTop > 0")
    assert reading.overflow() <= 0
    reading.check()


def test_the_strip_says_where_the_figure_is_from(page: Path, read: Read) -> None:
    reading = read()
    strip = opened(reading, page)
    assert strip.locator("dt").all_inner_texts() == ["runs", "seeds"]
    assert strip.locator("dd").all_inner_texts() == ["run-1, run-2", "0"]


def test_pictures_are_light_on_white_and_without_menus(page: Path, read: Read) -> None:
    reading = read(390, dark=True)
    strip = opened(reading, page)
    name, picture = kept(reading, strip, "SVG")
    text = picture.decode()
    assert name == "curves.svg" and 'width="900" height="420"' in text
    assert "rgb(255, 255, 255)" in text and "rgb(27, 31, 36)" in text and "rgb(227, 230, 234)" not in text
    assert "ones" not in text and "above" in text
    name, picture = kept(reading, strip, "PNG")
    assert name == "curves.png" and picture[:4] == b"\x89PNG" and int.from_bytes(picture[16:20]) == 1800
    reading.check()


def test_figures_fit_on_paper_and_come_back(page: Path, read: Read) -> None:
    reading = read(1300, dark=True)
    reading.open(page)
    state = "[document.getElementById('curves')].map(n => [n._fullLayout.width, n._fullLayout.font.color])[0]"
    before = reading.page.evaluate(state)
    reading.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert reading.page.evaluate(state) == [660, "#1b1f24"]
    reading.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert reading.page.evaluate(state) == before and before[0] > 660
    reading.page.emulate_media(media="print")
    assert not reading.page.locator("#curves + .kdnb-tools").is_visible()
    assert not reading.page.locator("#curves .updatemenu-container").is_visible()
