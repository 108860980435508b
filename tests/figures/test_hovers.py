"""Hovers say per cent where the axis does: on figures of the published digits, those that no page shows too."""

from collections.abc import Callable

import pytest
from hovers import not_in_per_cent

from kdnb.analysis.selection import StudiesParameters
from kdnb.analysis.study import Study
from kdnb.book.drawing import compact
from kdnb.claims.book import STATEMENTS
from kdnb.claims.judge import verdict
from kdnb.figures import discussion, front_page
from kdnb.figures.alignment import plug_in
from kdnb.figures.correlation import accuracy, norms
from kdnb.figures.exhibit import Exhibit
from kdnb.figures.geometry import stitching
from kdnb.figures.methods import ablations, table
from kdnb.figures.mu_curves import over_epochs

CHOSEN = StudiesParameters(profiles=("digits",))
MAKERS: dict[str, Callable[[Study], Exhibit]] = {
    "accuracy-by-temperature": accuracy.by_temperature,
    "alpha": lambda study: ablations.alpha(CHOSEN),
    "alpha-curves": lambda study: ablations.alpha_curves(CHOSEN),
    "methods-accuracy-mu": lambda study: table.scatter({"digits": study}),
    "mu-selected": over_epochs.selected,
    "plug-in-accuracy": plug_in.plugged,
    "r-by-temperature": norms.by_temperature,
    "start-reuse": front_page.reuse,
    "stitching": lambda study: stitching.accuracies({"digits": study}),
}


@pytest.fixture(scope="module")
def study() -> Study:
    return discussion.studies(CHOSEN)["digits"]


def wrong(made: Exhibit) -> list[str]:
    return [said for fig in made.figures for said in not_in_per_cent(compact(fig))]


@pytest.mark.parametrize("name", MAKERS)
def test_a_hover_says_per_cent_where_its_axis_does(study: Study, name: str) -> None:
    made = MAKERS[name](study)
    assert made.figures and wrong(made) == []


@pytest.mark.parametrize("one", [one for one in STATEMENTS if "%" in one.measure.form], ids=lambda one: one.id)
def test_so_does_a_statements(study: Study, one: discussion.Claim[Study]) -> None:
    outcomes = {one.id: {"digits": verdict(one, study.seeds)}}
    made = discussion.statement(one.id, outcomes, {"digits": study})
    assert made.figures and wrong(made) == []
