"""One thing varied at a time: alpha, temperatures beyond 10, the schedule, T squared."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from compared import EARLY, compared, make, spec
from drawable import drawable
from made_up import rounded

from kdnb.analysis import by_method, variations
from kdnb.analysis.selection import StudiesParameters
from kdnb.figures.claim_words import FOUND
from kdnb.figures.methods import ablations
from kdnb.figures.methods import table as methods_table
from kdnb.profiles import DROPS, DROPS_OF
from kdnb.runs import Run


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> StudiesParameters:
    return compared(tmp_path_factory.mktemp("compared"))


def test_alphas_run_from_normal_training_up(chosen: StudiesParameters) -> None:
    found = variations.alphas(chosen)
    assert list(found) == ["digits"]  # the other study has one alpha
    varied = found["digits"]
    assert varied.places == ["0", "0.1", "0.9", "1"]
    assert set(varied.table["line"]) == {"normal", "KD T=4", "MSE"}
    seeds = varied.table[varied.table["line"] == "KD T=4"].groupby("x")["seed"].apply(sorted).to_dict()
    assert seeds == {"0.1": [1, 2], "0.9": [1, 2]}  # seed 0, which 0.9 alone has, would bend the line
    lacking = "Not trained for `cifar100-small` with seed 0: more than one α."
    assert ablations.absent(chosen, found, "more than one α") == lacking
    assert ablations.absent(replace(chosen, profiles=["digits"]), found, "") == ""


def test_a_line_goes_through_the_means_over_seeds(chosen: StudiesParameters) -> None:
    varied = variations.alphas(chosen)["digits"]
    fig = ablations.alpha(chosen).figure["digits"]
    (line,) = [trace for trace in fig.data if trace.name == "KD T=4" and trace.yaxis == "y" and "lines" in trace.mode]
    folder = varied.study.folder
    runs = [Run(folder / f"kd-T4-a0.9-wd0.0005-s{seed}") for seed in (1, 2)]
    mean = np.mean([run.history["mu_raw"].iloc[-1] for run in runs])
    assert dict(zip(line.x, line.y, strict=True))["0.9"] == rounded([mean])[0]
    markers = [trace for trace in fig.data if trace.name == "KD T=4, each run"]
    (dots,) = [trace for trace in markers if trace.yaxis == "y3"]
    assert sorted(y for x, y in zip(dots.x, dots.y, strict=True) if x == "0.9") == rounded(
        sorted(run.history["test_accuracy"].iloc[-1] for run in runs)
    )
    assert any(trace.name == "MSE, bystander" for trace in fig.data)
    drawable(fig)


def test_high_temperatures_end_at_mse(chosen: StudiesParameters) -> None:
    found = variations.temperatures(chosen)
    assert list(found) == ["digits"]
    assert found["digits"].places == ["1", "4", "10", "50", "MSE"]
    made = ablations.high_temperature(chosen)
    assert made.answer.startswith("**Too few seeds on digits (T = 50 beside T = 1; n = 1)")
    assert made.says == "Not trained for `cifar100-small` with seed 0: a T beyond 10."
    drawable(made.figures[0])


def test_nearness_to_mse_is_of_the_same_seeds(chosen: StudiesParameters) -> None:
    """Seed 9, which MSE alone has, is far away: it is no part of the gap. Nor do seeds on both sides cancel."""
    sides = (1, -1, 1)
    rows = [("KD", "1", seed, 2 + side * (1 + seed / 100)) for seed, side in enumerate(sides)]
    rows += [("KD", "50", seed, 2 + side * 0.1) for seed, side in enumerate(sides)]
    rows += [*(("MSE", "MSE", seed, 2.0) for seed in range(3)), ("MSE", "MSE", 9, 90.0)]
    table = pd.DataFrame(rows, columns=["line", "x", "seed", "mu"])
    table = table.assign(r=table["mu"] / 10, accuracy=table["mu"] / 10)
    varied = replace(variations.temperatures(chosen)["digits"], table=table)
    text = ablations.nearing("x", varied)
    assert text == "yes on x (T = 50 beside T = 1; n = 3)"
    noisy = table.assign(accuracy=[0.3, 0.1, 0.2, 0.2, 0.1, 0.3, *[0.2] * 4])
    assert ablations.nearing("x", replace(varied, table=noisy)).startswith("in final raw μ and r (μ, loss) on x")
    turned = pd.concat([table.iloc[3:6].assign(x="1"), table.iloc[:3].assign(x="50"), table.iloc[6:]])
    assert ablations.nearing("x", replace(varied, table=turned)).startswith("no on x")
    two = replace(varied, table=table[table["seed"] < 2])
    assert ablations.nearing("x", two).startswith("too few seeds on x") and "; n = 2)" in ablations.nearing("x", two)
    other = replace(varied, table=table[table["line"].eq("KD") | table["seed"].eq(9)])
    assert "not trained on the same seeds" in ablations.nearing("x", other)


def test_both_schedules_show_what_both_have(chosen: StudiesParameters) -> None:
    varied = variations.schedules(chosen)["digits"]
    assert varied.lines == ["drops 15/18/21", "drops 12/15/18/21"]
    assert varied.places == ["normal", "KD T=4"] and set(varied.table["seed"]) == {0}
    assert len(varied.table) == 4
    made = ablations.readings(chosen)
    assert made.labels == ["the schedule, digits", "T², digits"]
    for figure in made.figures:
        drawable(figure)


def test_schedules_without_a_common_student_are_not_compared(tmp_path: Path) -> None:
    make(tmp_path / "digits", [spec("normal"), spec("kd", drops=EARLY)])
    assert variations.schedules(StudiesParameters(profiles=["digits"], results_dir=str(tmp_path))) == {}


def test_the_other_schedule_is_the_paper_s() -> None:
    assert (120, *DROPS) == variations.EARLY
    assert [round(drop * 24 / DROPS_OF) for drop in variations.EARLY] == list(EARLY)


def test_a_reading_of_the_loss_has_the_same_label_in_both(chosen: StudiesParameters) -> None:
    varied = variations.readings(chosen)["digits"]
    assert varied.places == ["KD T=1", "KD T=4"] and varied.lines == ["with T²", "without T²"]
    table = varied.table.set_index(["line", "x"])
    run = Run(varied.study.folder / "kd-T4-a0.9-unsquared-wd0.0005-s0")
    assert table.loc[("without T²", "KD T=4"), "mu"] == run.history["mu_raw"].iloc[-1]


def test_what_the_other_reading_changes_is_told_from_the_runs(chosen: StudiesParameters) -> None:
    for found in (variations.schedules(chosen), variations.readings(chosen)):
        table = found["digits"].table
        one, other = (part.set_index("x") for _, part in table.groupby("line", sort=False))
        text = ablations.turns("x", found["digits"])
        share = 100 * (other["mu"] / one["mu"] - 1)
        assert f"{share.min():+.1f}% to {share.max():+.1f}%".replace("-", "−") in text
        assert f"the sign of r turns in {int((one['r'] * other['r'] < 0).sum())} of 2 students (1 seed)" in text


def test_a_curve_an_alpha_is_the_mean_over_its_seeds(chosen: StudiesParameters) -> None:
    varied = variations.alphas(chosen)["digits"]
    runs: dict[str, list[Run]] = {}
    for run in varied.runs:
        if run.spec.method == "kd":
            runs.setdefault(f"α = {run.spec.method_parameters['alpha']:g}", []).append(run)
    fig = ablations.alpha_curves(chosen).figure["digits"]
    assert [trace.name for trace in fig.data] == sorted(runs, reverse=True)
    for trace in fig.data:
        shares = [run.history["mu_raw"][12:] / run.history["mu_raw"][12] - 1 for run in runs[trace.name]]
        assert list(trace.y) == rounded(np.mean(shares, axis=0))


def test_what_alpha_changes_is_told_beside_the_bystander(chosen: StudiesParameters) -> None:
    made = ablations.alpha(chosen)
    kd = variations.alphas(chosen)["digits"].table.query("line == 'KD T=4'").groupby("x")[["mu", "bystander"]].mean()
    own, other = kd.loc["0.9"] - kd.loc["0.1"]
    few = "**It cannot be told from so few seeds on digits: from α = 0.1 to 0.9 KD T=4's final raw μ changes by "
    assert made.answer.startswith(few)
    assert f"by {own:+.2f} and that to the bystander by {other:+.2f}, ".replace("-", "−") in made.answer
    last = replace(chosen, warm_up=chosen.studies()["digits"].students[0].spec.epochs - 1)
    assert "; r stays undefined, accuracy changes by " in ablations.alpha(last).answer
    assert ablations.alpha_curves(chosen).answer.split(" on digits: ")[0].strip("*") in (*FOUND.values(),)


@pytest.mark.parametrize(
    ("moved", "said"),
    [
        (-5.0, "yes, to the teacher more than to the bystander, on x: "),
        (5.0, "yes, away from the teacher more than from the bystander, on x: "),
        (2.0, "not otherwise than to the bystander, that could be seen, on x: "),
    ],
)
def test_mu_is_moved_by_alpha_as_that_to_the_bystander_or_not(
    chosen: StudiesParameters, moved: float, said: str
) -> None:
    """The bystander's moves by 2; a larger mu that moves as far changes by the smaller share, and no otherwise."""
    rows = [
        ("KD T=4", x, seed, 20.0 + seed / 9 + moved * by, 5.0 + 2 * by, 0.5, 0.9)
        for seed in range(3)
        for by, x in enumerate(("0.1", "1"))
    ]
    table = pd.DataFrame(rows, columns=["line", "x", "seed", "mu", "bystander", "r", "accuracy"])
    table.loc[0, "mu"] += 0.01
    text = ablations.ends("x", replace(variations.alphas(chosen)["digits"], table=table))
    assert text.startswith(said) and "to the bystander by +2.00, a difference of" in text


def test_missing_runs_leave_nothing_out_but_themselves(tmp_path: Path) -> None:
    make(tmp_path / "digits", [spec("kd", {"temperature": 4})])
    chosen = StudiesParameters(profiles=["digits"], results_dir=str(tmp_path))
    for read in (variations.alphas, variations.temperatures, variations.schedules, variations.readings):
        assert read(chosen) == {}
    for made in (ablations.alpha(chosen), ablations.high_temperature(chosen), ablations.readings(chosen)):
        assert made.answer == "**It cannot be told: no study here has the runs.**" and not made.figures
    studies = chosen.studies(methods=by_method.METHODS)
    made = methods_table.all_methods(studies)
    assert "not trained: normal" in made.table and "it cannot be told on digits" in made.answer.lower()
    drawable(methods_table.scatter(studies).figures[0])
