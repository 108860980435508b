"""The table of all methods, and rows as templates of classes."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from compared import compared, make, spec, trace
from drawable import drawable
from made_up import rounded
from scipy import stats as scipy_stats

from kdnb import methods
from kdnb.analysis import by_method, class_rows, literature
from kdnb.analysis.selection import StudiesParameters
from kdnb.analysis.students import ORDER
from kdnb.analysis.study import Study
from kdnb.figures.methods import class_rows as drawn_rows
from kdnb.figures.methods import table as methods_table
from kdnb.files import write_tensors
from kdnb.runs import Run

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> StudiesParameters:
    return compared(tmp_path_factory.mktemp("compared"))


@pytest.fixture(scope="module")
def studies(chosen: StudiesParameters) -> dict[str, Study]:
    return chosen.studies(methods=by_method.METHODS)


# -------------------------------------------------------------------------------------------------------------- table
def test_a_row_is_the_mean_over_seeds_of_the_last_epoch_with_student_s_interval(studies: dict[str, Study]) -> None:
    study = studies["digits"]
    folder, found = study.folder, by_method.measured(study)
    runs = [Run(folder / f"normal-wd0.0005-s{seed}") for seed in (0, 1, 2)]
    last = np.array([run.history["test_accuracy"].to_numpy()[-1] for run in runs])
    expected = scipy_stats.t.interval(0.95, 2, last.mean(), scipy_stats.sem(last))
    row = found.loc["normal"]
    assert row["seeds"] == 3 and row["accuracy"] == pytest.approx(last.mean())
    assert (row["low"], row["high"]) == pytest.approx(expected)
    assert row["mu_raw"] == pytest.approx(np.mean([run.history["mu_raw"].to_numpy()[-1] for run in runs]))
    assert found["low"].isna()["MSE"] and found["seeds"]["MSE"] == 1


def test_kd_stands_for_itself_at_one_temperature(studies: dict[str, Study]) -> None:
    assert [run.label for run in by_method.shown(studies["digits"]) if run.spec.method == "kd"] == ["KD T=4"]
    assert [run.label for run in by_method.shown(studies["cifar100-small"])] == ["normal", "KD T=2"]


def test_the_table_has_a_row_a_method_and_names_what_was_not_trained(studies: dict[str, Study]) -> None:
    text = methods_table.as_html(studies)
    digits, small = text.split("<tbody>")[1:]
    cells = {
        re.sub("<.*?>", "", row.split("</th>")[0]): re.findall("<td>(.*?)</td>", row)
        for row in re.split('<tr><th scope="row".*?>', digits)[1:]
    }
    assert set(cells) == {"normal", "KD T=4", "MSE", "FitNet", "SimKD", "SimKD f=4"}
    left = digits.split("not trained: ")[1].split("<")[0].split(", ")
    assert set(left) == set(by_method.planned()) - set(cells)
    assert cells["SimKD"][2:] == ["–"] * (len(by_method.MUS) + 1) and "–" not in cells["FitNet"]
    of_kd = [run.history.iloc[-1] for run in by_method.groups(studies["digits"])["KD T=4"]]
    own, other = (sum(row[column] for row in of_kd) / len(of_kd) for column in ("mu_raw", "bystander_mu_raw"))
    plugged = np.mean([row["plug_in_accuracy_matched"] for row in of_kd])
    assert cells["KD T=4"][-1] == f"{100 * plugged:.1f}"
    assert cells["KD T=4"][2] == f"{own:.3g} ({other:.3g})" and cells["KD T=4"][0] == "3"
    assert "KD T=2" in small and "nan" not in text.lower()


def test_what_the_literature_reports_is_folded_beside_its_sources() -> None:
    text = methods_table.reported()
    assert text.startswith("<details>") and "<strong>not comparable</strong>" in text
    assert all(row.number in text and row.source.name in text for row in literature.FIGURES)
    assert text.count("<tr") == 1 + len({by_method.label_of(row.method, row.parameters) for row in literature.FIGURES})


def test_the_answer_compares_the_most_accurate_with_the_nearest() -> None:
    rows = {"a": [0.9, 3.0, 2.0, 3], "b": [0.8, 4.0, 1.0, 3], "SimKD": [0.7, np.nan, np.nan, 3]}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["accuracy", "mu_raw", "mu_rotated", "seeds"])
    said = methods_table.nearest("digits", table)
    assert said.startswith(
        "in part on digits (90.00% for a; the smallest raw μ is that of a; the smallest rotated μ is"
    )
    assert methods_table.nearest("digits", table.assign(mu_rotated=table["mu_raw"])).startswith("yes on digits")
    assert methods_table.nearest("digits", table.assign(accuracy=[0.1, 0.2, 0.9])).startswith("no on digits (90.00%")
    assert "it cannot be told on digits" in methods_table.nearest("digits", table.iloc[1:])
    both = methods_table.nearest("digits", table.assign(accuracy=[0.9, 0.9, 0.1]))
    assert both.startswith("yes on digits (90.00% for a and b;")
    few = methods_table.nearest("digits", table.assign(seeds=[3, 2, 3]))
    assert few.startswith("it cannot be told on digits (90.00% for a;") and few.endswith("that of b, n\u00a0=\u00a02)")


def test_one_test_image_is_what_the_snapshot_says(studies: dict[str, Study]) -> None:
    text = methods_table.notes(studies)
    assert f"One test image is worth {100 / 60:.2f} points on digits" in text and methods_table.NO_MU in text
    assert methods_table.NO_MU not in methods_table.notes({"cifar100-small": studies["cifar100-small"]})


def test_rounding_is_no_distance() -> None:
    """And 9.89503 is nearer to 9.90 than to 9.89, which is what is left of it after 9.8950."""
    values = (4e-6, 0.12345, 9.89503, np.nan)
    assert [methods_table.number(value, "#.3g") for value in values] == ["0", "0.123", "9.90", "–"]


# ------------------------------------------------------------------------------------------------ accuracy against mu
def test_every_mark_stands_at_its_run_s_last_values(studies: dict[str, Study]) -> None:
    study = studies["digits"]
    fig = methods_table.scatter(studies).figures[0]
    assert {trace.name for trace in fig.data} == {"normal", "KD T=4", "MSE", "FitNet"}  # SimKD has no mu
    (upper, upper_mean) = [trace for trace in fig.data if trace.name == "FitNet" and trace.xaxis == "x"]
    (lower, _) = [trace for trace in fig.data if trace.name == "FitNet" and trace.xaxis == "x2"]
    tables = [Run(study.folder / f"fitnet-wd0.0005-s{seed}").history.iloc[-1] for seed in (0, 1, 2)]
    assert list(upper.x) == rounded([row["mu_raw"] for row in tables])
    assert list(lower.x) == rounded([row["mu_rotated"] for row in tables])
    assert list(upper.y) == list(lower.y) == rounded([row["test_accuracy"] for row in tables])
    assert list(upper_mean.x) == rounded([np.mean([row["mu_raw"] for row in tables])])
    named = [trace for trace in fig.data if trace.text == (trace.name,)]
    assert len(named) == 8 and len({trace.marker.symbol for trace in named}) == 4
    drawable(fig)


def test_neighbours_have_their_names_on_different_sides() -> None:
    sides = methods_table._sides({"a": [1, 1], "b": [1.05, 1.05], "far": [3, 3], "c": [1.02, 1]})
    assert len({sides[name] for name in "abc"}) == 3 and sides["far"] == methods_table.SIDES[0]


def test_what_is_not_drawn_is_named(studies: dict[str, Study]) -> None:
    assert "SimKD f=4 and SimKD on digits" in methods_table.without(studies) or "SimKD and SimKD f=4 on digits" in (
        methods_table.without(studies)
    )
    assert methods_table.without({"cifar100-small": studies["cifar100-small"]}) == ""


def test_an_order_needs_six_methods_and_a_rank_beyond_chance(
    studies: dict[str, Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert methods_table.order("digits", studies["digits"]) == ("it cannot be told on digits, where 4 methods have a μ")
    monkeypatch.setattr(by_method, "LEAST_METHODS", 4)
    found = by_method.order(studies["digits"], "mu_raw")
    means = [by_method.measured(studies["digits"]).loc[["normal", "KD T=4", "MSE", "FitNet"]]]
    expected = scipy_stats.spearmanr(means[0]["mu_raw"].round(4), means[0]["accuracy"].round(4))
    assert found is not None and (found.rho, found.p, found.methods) == (*map(pytest.approx, expected), 4)
    for rho, p, word in ((-0.5, 0.2, "no"), (-0.5, 0.01, "yes"), (0.5, 0.01, "no, the contrary,"), (0.5, 0.2, "no")):
        monkeypatch.setattr(by_method, "order", lambda *_, rho=rho, p=p: by_method.Order(rho, p, 9))
        said = methods_table.order("digits", studies["digits"]).replace("−", "-")
        assert said.startswith(f"{word} on digits (rank correlation of accuracy {rho:+.2f} with raw μ and ")


# ----------------------------------------------------------------------------------------------------------- templates
def test_class_cosines_are_those_of_all_pairs_of_rows() -> None:
    weight = RNG.normal(size=(5, 8))
    pairs = [(i, j) for i in range(5) for j in range(i + 1, 5)]
    by_hand = [weight[i] @ weight[j] / np.sqrt((weight[i] ** 2).sum() * (weight[j] ** 2).sum()) for i, j in pairs]
    np.testing.assert_allclose(class_rows.class_cosines(weight), by_hand, rtol=1e-12)


def test_agreement_needs_no_alignment_and_no_equal_width() -> None:
    weight = RNG.normal(size=(6, 9))
    rotation, _ = np.linalg.qr(RNG.normal(size=(9, 9)))
    scale = RNG.uniform(0.5, 2, (6, 1))
    wider = np.hstack([weight, np.zeros((6, 3))])
    for same in (weight @ rotation, weight[:, RNG.permutation(9)], 3 * scale * weight, wider):
        assert class_rows.agreement(weight, same) == pytest.approx(1)
    assert class_rows.agreement(weight, weight[[1, 2, 3, 4, 5, 0]]) < 0.9
    assert class_rows.agreement(weight, -weight @ rotation) == pytest.approx(1)  # both signs: cosines are of pairs


def test_published_classifiers_agree_as_their_methods_make_them() -> None:
    """A rotation and another order of columns keep all class cosines; rows dealt to other classes do not."""
    names = ("frozen", "permuted", "rotated", "shuffled")
    study = StudiesParameters(profiles=["cifar100-small"]).studies(methods=names)["cifar100-small"]
    table = class_rows.agreements(study).groupby("label")["teacher"].min()
    assert all(table[name] > 0.9999 for name in names[:3]) and table["shuffled"] < 0.9


def test_likeness_is_drawn_for_teacher_and_bystander() -> None:
    study = StudiesParameters(profiles=["digits"]).studies(methods=("normal", "kd"))["digits"]
    table = class_rows.agreements(study)
    made = drawn_rows.likeness({"digits": study})
    (fig,) = made.figures
    gaps = (table["teacher"] - table["bystander"]).groupby([table["label"], table["seed"]]).first().unstack("label")
    beyond = gaps["KD T=4"] - gaps["normal"]
    assert f"most KD T=4, {beyond.mean():+.2f} (" in made.answer and f"n\u00a0=\u00a0{len(beyond)}" in made.answer
    half = scipy_stats.t.ppf(0.975, len(beyond) - 1) * beyond.std() / np.sqrt(len(beyond))
    assert made.answer.startswith("**Yes" if beyond.mean() > half else "**Not seen")
    assert [trace.name for trace in fig.data] == ["with the bystander", "with the teacher"]
    assert list(fig.data[1].y) == rounded(table["teacher"]) and list(fig.data[0].y) == rounded(table["bystander"])
    assert fig.layout.shapes[0].y0 == pytest.approx(class_rows.between_teachers(study))
    assert "nan" not in made.answer
    drawable(fig)


def test_likeness_without_teachers_says_so(studies: dict[str, Study]) -> None:
    study = replace(studies["cifar100-small"], folder=Path("nowhere"))
    assert "it cannot be told on x" in drawn_rows.nearer("x", class_rows.agreements(study), None)


@pytest.mark.parametrize(
    "gaps, word, count",
    [
        ((0.3, 0.4), "yes on x", "2 of 2 methods, beyond chance"),
        ((0.3, 0.1), "for KD T=1 on x", "1 of 2 methods, beyond chance"),
        ((0.1, 0.05), "not seen on x", "0 of 2 methods"),
    ],
)
def test_likeness_counts_beyond_normal_training(gaps: tuple[float, float], word: str, count: str) -> None:
    """Normal training agrees 0.1 more with the teacher than with the bystander, and had no teacher: a trait of both."""
    noise = np.array([-0.01, 0.0, 0.01])
    table = pd.DataFrame(
        [
            {"label": label, "seed": seed, "teacher": 0.5 + gap + 2 * noise[seed], "bystander": 0.5 + noise[seed - 1]}
            for label, gap in (("normal", 0.1), *zip(("KD T=1", "KD T=4"), gaps, strict=True))
            for seed in range(3)
        ]
    )
    noisy = table.assign(teacher=table["teacher"] + 0.02 * table["seed"].where(table["label"] != "normal", 0))
    text = drawn_rows.nearer("x", noisy, 0.5)
    assert text.startswith(f"{word}, beyond normal training ") and f"for {count} (most KD" in text
    few = drawn_rows.nearer("x", table[table["seed"] < 2], None)
    assert few == "it cannot be told on x, where no method has three seeds beside normal training"


def test_the_chapters_methods_are_all_that_are_no_intervention() -> None:
    assert set(by_method.METHODS) == {
        name for name in ORDER if methods.METHODS[name].__module__.split(".")[-1] not in ("interventions", "maps")
    }


def test_where_no_method_has_a_mu_nothing_is_drawn_and_it_cannot_be_told(tmp_path: Path) -> None:
    make(tmp_path / "digits", [spec("simkd")])
    write_tensors(tmp_path / "digits" / "teacher-s0" / "classifier.safetensors", trace(0), {})
    alone = StudiesParameters(profiles=("digits",), results_dir=str(tmp_path)).studies(methods=by_method.METHODS)
    for made in (methods_table.scatter(alone), drawn_rows.likeness(alone)):
        assert made.figures == [] and made.figure is None
        assert made.answer.startswith("**It cannot be told on digits")
