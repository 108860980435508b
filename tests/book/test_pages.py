"""The whole book, built from results/ as `make book` does, and read as readers do: every page, served and from disk."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import Read, Reading, served
from built import from_results
from hovers import not_in_per_cent
from markup import broken, parsed
from playwright.sync_api import Page
from told_apart import alike
from touch import areas, centre, choose, drag, move, press, shown, use_controls, wait_for_change

from kdnb import paths
from kdnb.book import build, fragments

PAGES = build.chapters(paths.root() / "_toc.yml")
NOTEBOOKS = [page for page in PAGES if page.startswith("notebooks/")]
HEAVIEST = 1_500_000  # bytes of a page, beyond the scripts that all pages share
INKS = {False: "rgb(27, 31, 36)", True: "rgb(227, 230, 234)"}  # of text in figures, light and dark


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The book; KDNB_BOOK names one that is built already."""
    if given := os.environ.get("KDNB_BOOK"):
        return Path(given).resolve()
    return from_results(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def address(built: Path) -> Iterator[str]:
    with served(built) as found:
        yield found


def specs(built: Path, name: str) -> list[tuple[str, Mapping[str, Any]]]:
    """The JSON of every figure of a page, of a slider's each, under its id and place."""
    drawn = fragments.figures(nbformat.read(built / "_sources" / f"{name}.ipynb", as_version=4))
    found = [(f"{one.name} {place}", spec) for one in drawn for place, spec in enumerate(one.steps)]
    return [(place, spec) for place, spec in found if "data" in spec]  # the explorer's are made by its script


# ------------------------------------------------------------------------------------------------ as it is written
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_light_and_well_formed(built: Path, name: str) -> None:
    page = built / f"{name}.html"
    found = parsed(page)
    assert page.stat().st_size <= HEAVIEST
    assert found.language == "en" and found.titles == 1 and found.wordless == []
    assert broken(page) == []
    assert [anchor for anchor, count in found.ids.items() if count > 1] == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_hovers_say_per_cent_where_axes_do(built: Path, name: str) -> None:
    """Of every figure, whatever a slider or a menu brings."""
    assert {place: wrong for place, spec in specs(built, name) if (wrong := not_in_per_cent(spec))} == {}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_rows_of_a_csv_are_told_apart(built: Path, name: str) -> None:
    """Those of two panels, of two runs, of a mean and the runs behind it."""
    curves = [one for one in specs(built, name) if all("z" not in trace for trace in one[1]["data"])]
    assert {place: same for place, spec in curves if (same := alike(spec))} == {}


# --------------------------------------------------------------------------------------------------- as it is read
EMPTY = """() => [...document.querySelectorAll(".js-plotly-plot")].filter(node => !node._fullData.some(trace =>
    trace.visible === true && ["x", "y", "z", "source"].some(key => trace[key]?.length))).map(node => node.id)"""
# Text of a figure in the ink of the other theme, by figure; and figures without any text in this theme's.
WRONG_INK = """ink => [...document.querySelectorAll(".js-plotly-plot")].filter(node => {
    const fills = [...node.querySelectorAll(".main-svg text")].map(text => getComputedStyle(text).fill);
    return fills.length && !fills.includes(ink.right) || fills.includes(ink.wrong);
}).map(node => node.id)"""


def check_look(reading: Reading, dark: bool) -> None:
    """Assert that every figure is drawn in the page's ink and that nothing makes the page scroll sideways."""
    reading.darken(dark)
    ink = {"right": INKS[dark], "wrong": INKS[not dark]}
    reading.page.wait_for_function(f"!({WRONG_INK})({ink}).length")
    assert reading.page.evaluate(EMPTY) == []
    assert reading.overflow() <= 0


def faults(page: Page) -> list[str]:
    """axe-core's findings of serious or critical impact, one a line."""
    options = {"resultTypes": ["violations"], "preload": False}  # preloading asks for style sheets again
    found = Axe().run(page, options=options).response["violations"]
    return [
        f"{one['impact']} {one['id']}: {node['html'][:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("width", [1000, 1190])
def test_a_wide_cell_keeps_within_a_page_of_middling_width(built: Path, read: Read, width: int) -> None:
    """There the theme has no column beside the text, over which it widens the explorer all the same."""
    reading = read(width)
    reading.open(built / "notebooks/00_start.html")
    reading.page.locator("#explorer-mu .main-svg").first.wait_for()
    assert reading.overflow() <= 0


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [1300, 390], ids=["from disk on a desk", "served to a telephone"])
def test_a_page_is_whole_for_everyone(built: Path, address: str, read: Read, width: int, name: str) -> None:
    """In light and dark: drawn, within its width, and without a fault that axe-core finds."""
    reading = read(width)
    reading.open(built / f"{name}.html" if width == 1300 else f"{address}/{name}.html")
    reading.page.add_style_tag(content="*, *::before { transition: none !important; }")
    for dark in (False, True):
        check_look(reading, dark)
        assert faults(reading.page) == []
    reading.check()


@pytest.mark.parametrize("where", ["from disk", "served"])
def test_the_search_finds_pages(built: Path, address: str, read: Read, where: str) -> None:
    """With excerpts, where the browser lets a page read another one."""
    reading = read(390)
    home = built.as_uri() if where == "from disk" else address
    reading.open(f"{home}/search.html?q=bystander")
    reading.page.wait_for_function("/found \\d+ page/.test(document.querySelector('.search-summary')?.textContent)")
    assert reading.page.locator("#search-results li a").count() >= 5
    if where == "served":
        reading.page.locator("#search-results p.context").first.wait_for()
    assert faults(reading.page) == [] and reading.overflow() <= 0
    reading.check()


def test_the_books_address_leads_to_its_first_page(built: Path, read: Read) -> None:
    reading = read(1300)
    reading.page.goto((built / "index.html").as_uri())
    reading.page.wait_for_url((built / f"{PAGES[0]}.html").as_uri())


def test_a_term_is_explained_where_it_stands(built: Path, read: Read) -> None:
    reading = read(1300)
    reading.open(built / "notebooks" / "04_correlation.html")
    term = reading.page.locator("article a[href*='glossary.html#term-bystander']").first
    term.hover()
    assert "teacher" in reading.page.locator(".tippy-content").inner_text()
    reading.check()


IN_SIGHT = """name => {
    const { top } = document.getElementById(name)?.getBoundingClientRect() ?? { top: -1 };
    return top >= 0 && top < innerHeight / 2;
}"""


def test_a_link_leads_to_a_widgets_figure(address: str, read: Read) -> None:
    """A verdict points to the figure that it was read from, which is drawn long after its page has arrived."""
    reading = read(1300)
    reading.open(f"{address}/notebooks/12_claims.html")
    link = reading.page.locator("a[href$='#r-by-temperature-digits']").first
    reading.open(link.evaluate("link => link.href"))
    reading.page.wait_for_function(IN_SIGHT, arg="r-by-temperature-digits")
    reading.check()


@pytest.mark.parametrize("plot", ["mu", "r"])
def test_a_link_to_one_of_the_explorers_plots_still_leads_there_when_all_are_drawn(
    address: str, reading: Reading, plot: str
) -> None:
    """The line above the plots was written last, and moved them by a hundred pixels; one is a telephone's rounding."""
    reading.open(f"{address}/notebooks/00_start.html#explorer-{plot}")
    reading.page.wait_for_load_state("networkidle")
    moves = "place => { const before = scrollY; place.scrollIntoView(); return scrollY - before; }"
    assert reading.page.locator(f"#explorer-{plot}").evaluate(moves) == pytest.approx(0, abs=1)


def test_a_link_to_a_menus_other_figure_chooses_its_study(address: str, read: Read) -> None:
    """From another page, and on the page itself; as often as the same link is followed."""
    reading = read(1300)
    reading.open(f"{address}/notebooks/05_tsne.html#tsne-sheet-cifar100-small")
    for name in ("tsne-sheet-cifar100-small", "feature-cosine-cifar100-small", "feature-cosine-digits"):
        reading.page.evaluate("name => { location.hash = name; }", name)
        reading.page.locator(f"#{name} .main-svg").first.wait_for()
        reading.page.wait_for_function(IN_SIGHT, arg=name)
    assert reading.page.locator("#tsne-sheet-cifar100-small").is_visible()  # its menu was left as it was
    reading.page.locator(".shows-feature-cosine-digits select").select_option("cifar100-small")
    reading.page.locator("#feature-cosine-digits").wait_for(state="hidden")
    reading.page.evaluate("scrollTo(0, 0)")
    again = "Object.assign(document.createElement('a'), {href: location.hash, textContent: 'again'})"
    reading.page.evaluate(f"document.querySelector('article').prepend({again})")
    reading.page.get_by_role("link", name="again", exact=True).click()
    reading.page.locator("#feature-cosine-digits .main-svg").first.wait_for()
    reading.page.wait_for_function(IN_SIGHT, arg="feature-cosine-digits")
    reading.check()


# ------------------------------------------------------------------------------------------------ as it is touched
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_control_changes_its_figures(built: Path, read: Read, name: str) -> None:
    reading = read(1300)
    reading.open(built / f"{name}.html")
    for area in areas(reading.page, "div.cell_output"):
        choose(area)
        move(area)
    use_controls(reading.page)
    reading.check()


PLACES = "script[data-kdnb-figure], script[type='application/vnd.jupyter.widget-view+json']"


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_without_scripts_each_figure_is_a_picture(built: Path, read: Read, name: str) -> None:
    """In the place of every figure and widget, with words for it; the claims are tables, toys say what they need."""
    page = read(1300, scripts=False).page
    page.goto((built / f"{name}.html").as_uri())
    assert bool(page.locator(PLACES).count()) == (name != "notebooks/12_claims")
    for output in page.locator(f"div.cell_output:has({PLACES})").all():
        pictures = output.locator("noscript").get_by_role("img").all()
        needs_scripts = output.locator("noscript p", has_text="needs scripts").count()
        assert needs_scripts + len(pictures) >= output.locator(PLACES).count()
        assert all(picture.is_visible() and picture.get_attribute("alt") for picture in pictures)
        assert all(picture.evaluate("image => image.complete && image.naturalWidth > 0") for picture in pictures)


# ---------------------------------------------------------------------------------------------------- the explorer
@pytest.fixture
def explorer(built: Path, read: Read) -> Iterator[Page]:
    reading = read(1300)
    reading.open(built / "notebooks" / "00_start.html")
    yield reading.page
    reading.check()


def drawn(page: Page, panel: str, meta: str = "front") -> Any:
    """x and y (2 x points) of the explorer's trace marked ``meta`` in ``panel``."""
    traces = page.locator(f"#explorer-{panel}").evaluate(
        "(node, meta) => node._fullData.filter(t => t.meta === meta).map(t => [Array.from(t.x), Array.from(t.y)])", meta
    )
    return np.array(traces[0], dtype=float)


def test_the_explorers_temperature_moves_all_four_plots(explorer: Page) -> None:
    area, handle = explorer.locator(".kdnb-explorer"), explorer.locator(".kdnb-explorer-moving .noUi-handle")
    before = shown(area)
    assert set(before) == {f"explorer-{panel}" for panel in ("mu", "loss", "r", "map")}
    press(handle)
    before = wait_for_change(area, before, every=True)
    drag(handle, to=1)
    wait_for_change(area, before, every=True)
    assert drawn(explorer, "r")[0] == 10


def test_the_explorers_menus_change_data(explorer: Page) -> None:
    """One after another; the loss and the map know nothing of how mu is measured."""
    area = explorer.locator(".kdnb-explorer")
    all_four = {"mu", "loss", "r", "map"}
    wanted = {
        ("distance", "μ rotated"): {"mu", "r"},
        ("weight decay", "0"): all_four,
        ("method", "DIST"): all_four,
        ("data", "cifar100-small"): all_four,
    }
    for (label, choice), panels in wanted.items():
        before = shown(area)
        explorer.get_by_label(label, exact=True).select_option(choice)
        now = wait_for_change(area, before)
        assert {name.removeprefix("explorer-") for name in now if now[name] != before[name]} == panels, label


def test_the_explorers_r_is_pearsons(explorer: Page) -> None:
    """Whatever the kind of mu and the warm-up: of what is drawn, and what is drawn is what was published."""
    area = explorer.locator(".kdnb-explorer")
    history = pd.read_parquet(paths.results("digits") / "kd-T4-a0.9-wd0.0005-s0" / "history.parquet")
    for kind, column in (("μ raw", "mu_raw"), ("μ rotated", "mu_rotated")):
        explorer.get_by_label("distance").select_option(kind)
        before = shown(area)
        press(explorer.locator(".kdnb-explorer-choices .noUi-handle"))
        wait_for_change(area, before)
        mu, loss, r = (drawn(explorer, panel) for panel in ("mu", "loss", "r"))
        assert r[0] == 4 and r[1] == pytest.approx(np.corrcoef(mu[1], loss[1])[0, 1], abs=1e-6)
        there = history[history["epoch"].isin(mu[0])]
        np.testing.assert_allclose(mu[1], there[column], rtol=1e-3)
        assert 0 < len(there) < len(history)


def test_the_explorers_csv_has_the_run_in_front_once(explorer: Page) -> None:
    for panel in ("mu", "loss", "r"):
        strip = explorer.locator(f"#explorer-{panel} + .kdnb-tools")
        strip.locator("summary").click()
        with explorer.expect_download() as waiting:
            strip.get_by_role("button", name="CSV").click()
        table = pd.read_csv(waiting.value.path())
        assert not table.empty and not table.duplicated().any()
    assert table["trace"][table["x"] == 4].tolist() == ["μ raw", "μ raw, to the bystander"]


def test_a_class_pointed_at_is_marked_in_the_explorers_plots(explorer: Page) -> None:
    node = explorer.locator("#explorer-map")
    centre(node)
    point, name = node.evaluate(
        """node => {
            const { xaxis, yaxis } = node._fullLayout, [trace] = node._fullData, box = node.getBoundingClientRect();
            const place = [xaxis._offset + xaxis.d2p(trace.x[0]), yaxis._offset + yaxis.d2p(trace.y[0])];
            return [[box.left + place[0], box.top + place[1]], trace.text[0]];
        }"""
    )
    explorer.mouse.move(*point)
    explorer.wait_for_function("document.getElementById('explorer-mu')._fullData.some(t => t.meta === 'followed')")
    marked = node.evaluate("({ _fullData: [trace] }) => trace.text.filter((_, i) => trace.marker.opacity[i] > 0.5)")
    assert set(marked) == {explorer.get_by_label("class", exact=True).input_value()}
    assert name in explorer.locator("#explorer-reading").inner_text()
    assert all(np.isfinite(drawn(explorer, panel, "followed")).all() for panel in ("mu", "r"))
