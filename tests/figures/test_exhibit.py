"""Exhibits: each has a name and a sentence before it is made, and stands in a notebook."""

from collections import Counter
from pathlib import Path

import plotly.graph_objects as go
import pytest
from exhibits import NOTEBOOKS, every, exhibits_of

from kdnb.figures.exhibit import Exhibit, exhibit

CHAPTERS = sorted(path.stem for path in Path(NOTEBOOKS).glob("*.ipynb"))


@exhibit("bars-{of}", "A bar.", step="height")
def bars(heights: list[int], of: str) -> Exhibit:
    """Bars of some heights."""
    return Exhibit({f"{height}": go.Figure(go.Bar(y=[height])) for height in heights}, f"{len(heights)} bars", of=of)


def test_what_a_function_makes_has_its_name_its_sentence_and_its_slider() -> None:
    made = bars([1, 3], "digits")
    assert (made.name, made.alt, made.step) == ("bars-digits", "A bar.", "height")
    assert made.labels == ["1", "3"] and [fig.data[0].y for fig in made.figures] == [(1,), (3,)]
    assert bars.id("My_pictures 2") == "bars-my-pictures-2"  # a data set of one's own is called as one likes
    assert bars.id("digits") == made.name and bars.__doc__ == "Bars of some heights."


def test_one_figure_has_no_labels_and_none_has_no_figure() -> None:
    alone = go.Figure()
    assert Exhibit(alone).figures == [alone] and Exhibit(alone).labels == []
    assert Exhibit(says="Nothing was trained.").figures == []


def test_where_nothing_was_measured_no_empty_figure_is_shown() -> None:
    nothing = go.Figure([go.Scatter(x=[1, 2], y=[None, float("nan")]), go.Bar(x=[1])])

    @exhibit("curves", "Curves.")
    def curves(*figures: go.Figure) -> Exhibit:
        return Exhibit({f"{place}": figure for place, figure in enumerate(figures)}, answer="It cannot be told.")

    assert curves(nothing, go.Figure()).figures == [] and curves(nothing).answer == "It cannot be told."
    kept = curves(nothing, go.Figure(go.Scatter(y=[None, 0.0])))  # a step of a slider is never missing
    assert len(kept.figures) == 2
    assert len(curves(go.Figure(go.Heatmap(z=[[1.0]]))).figures) == 1


@pytest.mark.parametrize("name", ["", "Mu", "1st", "two words", "a_b", "x\n"])
def test_bad_name_is_refused_when_the_function_is_written(name: str) -> None:
    with pytest.raises(ValueError, match="must be lower-case letters, digits and hyphens"):
        exhibit(name, "Nothing.")(lambda: Exhibit())


def test_missing_alt_is_refused() -> None:
    with pytest.raises(ValueError, match="'bars' has no alt text"):
        exhibit("bars", "  ")(lambda: Exhibit())


# ------------------------------------------------------------------------------------------- what the repository holds
def test_every_exhibit_is_shown_somewhere() -> None:
    shown = {maker.name for chapter in CHAPTERS for maker in exhibits_of(chapter)}
    assert [maker.name for maker in every() if maker.name not in shown] == []


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_an_id_is_given_once_a_page(chapter: str) -> None:
    """Of those that are shown several times, each time of something else, the name has a place for what."""
    count = Counter(maker.name for maker in exhibits_of(chapter))
    assert [name for name, times in count.items() if times > 1 and "{of}" not in name] == []


def test_names_and_sentences_are_told_apart() -> None:
    names = [maker.name for maker in every()]
    assert len(names) == len(set(names)) and all(maker.__doc__ for maker in every())
