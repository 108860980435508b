"""Pictures for readers without scripts: drawn in a Chromium, kept, and in the page where their figures are."""

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import plotly.graph_objects as go
import pytest
from ipywidgets import Widget
from PIL import Image

from kdnb.book import export, pictures, widgets
from kdnb.book import fragments as drawn
from kdnb.book.drawing import compact, fragment
from kdnb.book.pictures import Picture
from kdnb.figures.exhibit import Exhibit

RED, BLUE = (214, 39, 40), (31, 119, 180)
PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAANYnKP///yH5BAAAAAAALAAAAAABAAEAAAIBRAA7"  # of RED


def css(color: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)


@pytest.fixture(scope="module")
def browser() -> str:
    """Chromium; where there is none, CI fails and any other machine skips."""
    found = pictures.find_browser()
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(pictures.NO_BROWSER)
    return found


def picture(name: str, *traces: Any, **layout: Any) -> Picture:
    return Picture(f"pictures/one/{name}.png", compact(go.Figure([*traces], layout)), 400, 300)


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(path.read_bytes())).convert("RGB")).reshape(-1, 3).astype(int)


def has(path: Path, color: tuple[int, int, int]) -> bool:
    """Whether more than a few pixels of a picture are of ``color``."""
    return int((np.abs(pixels(path) - color).max(axis=1) < 12).sum()) > 20


def line(color: tuple[int, int, int] = RED) -> go.Scatter:
    return go.Scatter(y=[1, 3, 2], mode="lines", line={"color": css(color), "width": 6})


KINDS = {
    "scatter": [line(RED), go.Scatter(y=[2, 1, 3], mode="markers", marker={"color": css(BLUE), "size": 20})],
    "bar": [go.Bar(y=[1, 2], marker_color=css(RED)), go.Bar(y=[2, 1], marker_color=css(BLUE))],
    "heatmap": [go.Heatmap(z=[[0, 1], [1, 0]], colorscale=[[0, css(RED)], [1, css(BLUE)]])],
    "image": [
        go.Image(source=PIXEL),
        go.Scatter(x=[0], y=[0], mode="markers", marker={"color": css(BLUE), "size": 20}),
    ],
    "pie": [go.Pie(values=[1, 2], marker={"colors": [css(RED), css(BLUE)]})],
}


@pytest.fixture(scope="module")
def gallery(browser: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of every kind, of a figure with a menu, and a page's card: drawn by one browser."""
    folder = tmp_path_factory.mktemp("gallery")
    menu = {"buttons": [{"label": "█" * 9, "method": "skip"}], "font": {"color": css(BLUE)}}
    card = pictures.card(drawn.Drawn("flat", "A line.", compact(go.Figure(line())), None, []), "one")
    kinds = [picture(name, *traces) for name, traces in KINDS.items()]
    pictures.draw([*kinds, picture("menu", line(), updatemenus=[menu]), card], folder, folder / "cache", browser)
    return folder / "pictures" / "one"


def test_every_kind_of_trace_shows_its_colours_on_white(gallery: Path) -> None:
    """All that the book has, and what it may have one day: Plotly itself draws."""
    for name in KINDS:
        path = gallery / f"{name}.png"
        assert has(path, RED) and has(path, BLUE), name
        assert (pixels(path)[0] == 255).all() and Image.open(path).size == (400, 300)


def test_what_only_moves_on_a_screen_is_left_out(gallery: Path) -> None:
    assert has(gallery / "menu.png", RED) and not has(gallery / "menu.png", BLUE)


def test_a_card_has_the_size_that_pages_say(gallery: Path) -> None:
    assert Image.open(gallery / "card.png").size == (1200, 630)


def test_only_what_changed_is_drawn_again(browser: str, tmp_path: Path) -> None:
    """Where nothing did, no browser is started; a kept picture that is damaged or cut short does not count."""
    cache, path = tmp_path / "cache", tmp_path / "pictures" / "one" / "line.png"
    pictures.draw([picture("line", line())], tmp_path, cache, browser)
    before = path.read_bytes()
    pictures.draw([picture("line", line())], tmp_path, cache, "/nowhere/chromium")
    with pytest.raises(OSError, match="/nowhere/chromium draws no pictures: .*BROWSER_PATH=none"):
        pictures.draw([picture("line", line(BLUE))], tmp_path, cache, "/nowhere/chromium")
    (kept,) = cache.iterdir()
    for damaged in (before[:100], before[:-9] + b"\0" + before[-8:]):
        kept.write_bytes(damaged)
        path.unlink()
        pictures.draw([picture("line", line())], tmp_path, cache, browser)
        assert path.read_bytes() == kept.read_bytes() == before


KILLED = """
import os, sys
from pathlib import Path
from kdnb.book import pictures

def half(path, content):
    with path.open("wb") as file:
        file.write(content[: len(content) // 2])
    os._exit(9)

Path.write_bytes = half
spec = {"data": [{"y": [1, 3, 2]}], "layout": {}}
pictures.draw([pictures.Picture("line.png", spec, 400, 300)], Path(sys.argv[1]), Path(sys.argv[1]), sys.argv[2])
"""


def test_a_build_that_was_killed_leaves_no_half_of_a_picture(browser: str, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), browser], check=False)
    assert done.returncode == 9
    assert [file.suffix for file in tmp_path.iterdir()] == [".tmp"]
    whole = Picture("line.png", {"data": [{"y": [1, 3, 2]}], "layout": {}}, 400, 300)
    pictures.draw([whole], tmp_path, tmp_path, browser)
    assert len({tuple(pixel) for pixel in pixels(tmp_path / "line.png")}) > 10


def test_a_figure_that_cannot_be_drawn_is_named(browser: str, tmp_path: Path) -> None:
    odd = Picture("pictures/one/odd.webp", {"data": "nothing", "layout": {}}, 400, 300)
    with pytest.raises(OSError, match="draws no pictures.*pictures/one/odd.webp"):
        pictures.draw([odd], tmp_path, tmp_path / "cache", browser)


def test_a_browser_can_be_named_or_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my-chromium").touch()
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "my-chromium"))
    assert pictures.find_browser() == str(tmp_path / "my-chromium")
    monkeypatch.setenv("BROWSER_PATH", "none")
    assert pictures.find_browser() is None


# ------------------------------------------------------------------------------------------------------- in a notebook


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
    card, *stills = export.illustrate(made, "one", "https://example.org/book/")
    assert [still.path for still in stills] == ["pictures/one/flat.webp", "pictures/one/steep.webp"]
    assert stills[1].spec["data"][0]["y"] == [0, 2]
    flat, steep, beside = made.cells[0].outputs
    assert '<noscript><style>#flat{display:none}</style><img class="kdnb-still"' in flat.data["text/html"]
    assert (
        'src="../pictures/one/flat.webp" alt="A &quot;line&quot;." width="704" height="450"' in flat.data["text/html"]
    )
    assert steep.data.keys() == {drawn.VIEW}
    assert beside.data["text/html"].startswith('<noscript><div id="steep"><img')
    assert 'alt="A line. Shown: two."' in beside.data["text/html"]
    assert made.metadata["og:image"] == f"https://example.org/book/{card.path}"
    assert made.metadata["og:image:alt"] == 'A "line".' and card.spec == stills[0].spec


def test_without_a_browser_there_are_words_in_their_place() -> None:
    made = executed()
    assert export.illustrate(made, "one", None) == []
    flat, _, beside = made.cells[0].outputs
    assert "<style>#flat{display:none}</style><p>A &quot;line&quot;. <em>" in flat.data["text/html"]
    assert '<div id="steep"><p>A line. Shown: two. <em>' in beside.data["text/html"]
    assert "<img" not in nbformat.writes(made) and "og:image" not in made.metadata


def test_a_widget_without_figures_says_that_it_needs_scripts() -> None:
    output = nbformat.v4.new_output("display_data", {drawn.VIEW: {"model_id": "unknown"}})
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=[output])])
    assert export.illustrate(made, "one", "https://example.org/book/") == []
    assert "needs scripts" in made.cells[0].outputs[1].data["text/html"]
