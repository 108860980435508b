"""Histories of before a column existed: what rests on it is missing, and no reading of a study stops."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up import CURVES, SPEC, kd, store, write

from kdnb.analysis import accounts, by_method, norms, r_over_seeds, selection
from kdnb.analysis.selection import ChapterParameters
from kdnb.analysis.students import Missing
from kdnb.analysis.study import Study
from kdnb.claims import book_numbers, controls, paper
from kdnb.claims.book import STATEMENTS
from kdnb.claims.judge import verdict
from kdnb.figures.account import bars, through_time
from kdnb.figures.alignment import ladder, plug_in
from kdnb.figures.correlation import accuracy, decays, lengths
from kdnb.figures.correlation import norms as drawn_norms
from kdnb.figures.methods import table as methods_table
from kdnb.figures.mu_curves import alike, over_epochs
from kdnb.figures.statistics import over_seeds
from kdnb.measure.history import BYSTANDER
from kdnb.runs import Run

MAY_LACK = sorted(set(CURVES) - {"loss", "test_accuracy"})
Without = Callable[..., Study]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = store(tmp_path_factory.mktemp("runs"))
    for seed in (1, 2):
        for spec in (SPEC, kd(4)):
            write(made.folder, replace(spec, init_seed=seed))
    return made.folder


@pytest.fixture
def without(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Without:
    """The study as it would be, had a column never been measured; or not in the runs of ``seeds``."""
    whole = {run.path: run.history for run in map(Run, folder.iterdir())}

    def study(column: str, seeds: tuple[int, ...] = (0, 1, 2)) -> Study:
        older = {path for path in whole if Run(path).spec.init_seed in seeds}
        lacking = {path: h.drop(columns=column) if path in older else h for path, h in whole.items()}
        monkeypatch.setattr(Run, "history", property(lambda run: lacking[run.path]))
        return selection.load(ChapterParameters(output_dir=str(folder)))

    return study


@pytest.mark.parametrize("seeds", [(0, 1, 2), (0, 1)])
@pytest.mark.parametrize("column", MAY_LACK)
def test_no_reading_stops(column: str, seeds: tuple[int, ...], without: Without) -> None:
    study = without(column, seeds)
    for claim in (*paper.judge(study.every), *(verdict(one, study.seeds) for one in STATEMENTS)):
        assert claim.seeds or claim.missing
    controls.judge(study.every)
    r_over_seeds.measured({"digits": study})
    norms.table(study.every)
    lengths.balance(study)
    decays.r_by_decay(study)
    accounts.excesses(study)
    accounts.mean_totals(study.students, BYSTANDER)
    by_method.measured(study)
    said = (over_epochs.answer, over_epochs.order, alike.like_kd, drawn_norms.sentence, accuracy.sentence)
    for say in (*said, ladder.sides_sentence, plug_in.in_numbers, bars.sentence):
        assert "undefined" not in say(study) and "nan" not in say(study)
    shown = ladder.ladder(study)
    assert "undefined" not in shown.answer + shown.table and "nan" not in shown.answer + shown.table


def test_where_two_of_three_seeds_lack_a_column_n_is_the_third_s_alone(without: Without) -> None:
    """As when a new seed is published beside histories of before."""
    of = {column: without(column, (0, 1)) for column in ("mu_centred", "mu_matched", "spread", "plug_in_accuracy")}
    (newest,) = (run for run in of["mu_centred"].groups["KD T=4"] if run.spec.init_seed == 2)
    without("mu_centred", (0, 1))
    assert f"<td>{newest.last('mu_centred'):.3g} (n\u00a0=\u00a01)</td>" in ladder.every_mu(of["mu_centred"])
    without("mu_matched", (0, 1))
    row = by_method.measured(of["mu_matched"]).loc["KD T=4"]
    assert (row["mu_matched"], row["n mu_matched"], row["n mu_raw"]) == (newest.last("mu_matched"), 1, 3)
    assert f"{row['mu_matched']:.3g}, n\u00a0=\u00a01" in methods_table.as_html({"digits": of["mu_matched"]})
    without("spread", (0, 1))
    assert bars.sentence(of["spread"]).endswith("(KD T=4, mean over 1 seed).**")
    assert [run.spec.init_seed for run in accounts.accounted(of["spread"], "KD T=4")] == [2]
    without("plug_in_accuracy", (0, 1))
    assert plug_in.works(of["plug_in_accuracy"]) == "it cannot be told from so few seeds"


def test_without_the_cosine_its_claim_is_not_testable_and_says_what_it_needs(without: Without) -> None:
    found = {one.claim.id: one for one in paper.judge(without("classifier_cosine").every)}
    assert found["C10"].verdict == "not testable" and found["C10"].missing == "a history with classifier_cosine"
    assert found["C1"].seeds == [0, 1, 2]


def test_without_the_norm_what_it_explains_is_missing_and_r_is_there(without: Without) -> None:
    study = without("weight_norm")
    with pytest.raises(Missing, match="W_s"):
        book_numbers.norms_explain(study)
    (found,) = r_over_seeds.measured({"digits": study})
    assert found.table["norm held fixed"].isna().all() and found.table["the paper's r"].notna().all()
    assert norms.table(study.every).empty and np.isnan(norms.explained(study.normal()).change)


def test_without_the_spread_there_is_no_account_and_its_sentences_say_so(without: Without) -> None:
    """The pulls alone do not add up to what mu moved."""
    study = without("spread")
    run = study.normal()
    assert accounts.mean_totals([run]).empty and accounts.booked(run).empty and accounts.excess(run).empty
    assert "cannot be told" in bars.sentence(study) and "cannot be told" in through_time.through_sentence(run)


@pytest.mark.parametrize(
    ("column", "moves", "beside"),
    [("mu_raw", False, False), ("bystander_mu_raw", True, False), ("mu_matched", True, True)],
)
def test_what_moves_is_told_as_far_as_it_was_measured(column: str, moves: bool, beside: bool, without: Without) -> None:
    study = without(column)
    text = over_epochs.answer(study)
    assert "undefined" not in text and ("changes by" in text, "to the bystander" in text) == (moves, beside)
    like = alike.like_kd(study)
    assert ("changes by" in like) == moves and ("cannot be told" in like) != moves


def test_students_without_mu_are_not_drawn_over_seeds(without: Without) -> None:
    found = r_over_seeds.measured({"digits": without("mu_raw")})
    for made in (over_seeds.differences(found), over_seeds.readings(found)):
        assert made.figure is None and "cannot be told" in made.answer
