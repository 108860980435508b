"""The table of all methods, rows as templates of classes, and what is varied one thing at a time."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from drawable import drawable
from made_up import SPEC, TEACHER_SPEC, rounded, write
from scipy import stats as scipy_stats

from kdnb import methods
from kdnb.analysis import by_method, class_rows, literature, variations
from kdnb.analysis.selection import StudiesParameters, Study
from kdnb.analysis.students import ORDER
from kdnb.figures.methods import ablations
from kdnb.figures.methods import class_rows as drawn_rows
from kdnb.figures.methods import table as methods_table
from kdnb.files import write_tensors
from kdnb.profiles import DROPS, DROPS_OF
from kdnb.runs import Run, RunSpec

RNG = np.random.default_rng(0)
EARLY = (12, 15, 18, 21)  # the paper's other schedule, of 24 epochs


def spec(method: str, parameters: dict[str, float] | None = None, **changes: object) -> RunSpec:
    full = methods.parameters_of(methods.create(method, parameters))
    return replace(SPEC, method=method, method_parameters=full, **changes)  # type: ignore[arg-type]


def make(folder: Path, specs: Sequence[RunSpec]) -> None:
    """Made-up runs; SimKD's without mu, as the tracker leaves it."""
    write(folder, TEACHER_SPEC)
    for one in specs:
        run = write(folder, one, without="mu_|plug_in|classifier_cosine" if one.method == "simkd" else "$^")
        write_tensors(run.path / "classifier.safetensors", trace(sum(map(ord, one.name))), {})


def trace(seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {"weight": torch.randn(2, 3, 4, generator=generator), "bias": torch.zeros(2, 3)}


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> StudiesParameters:
    root = tmp_path_factory.mktemp("compared")
    both = [(name, seed) for name in ("normal", "simkd", "fitnet") for seed in (0, 1, 2)]
    make(
        root / "digits",
        [
            *(spec(name, init_seed=seed) for name, seed in both),
            *(spec("kd", {"temperature": t}) for t in (1, 4, 10, 50)),
            *(spec("kd", {"temperature": 4, "alpha": alpha}, init_seed=1) for alpha in (0.1, 0.9)),
            *(spec("kd", {"temperature": t, "squared": 0}) for t in (1, 4)),
            *(spec("mse", {"alpha": alpha}) for alpha in (0.9, 1.0)),
            *(spec(name, drops=EARLY, init_seed=seed) for name, seed in (("normal", 0), ("kd", 0), ("normal", 7))),
            spec("simkd", {"factor": 4}),
        ],
    )
    make(root / "cifar100-small", [spec("normal"), spec("kd", {"temperature": 2})])
    return StudiesParameters(results_dir=str(root))


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


def test_the_table_lists_what_was_not_trained_and_what_is_published(studies: dict[str, Study]) -> None:
    text = methods_table.as_html(studies["digits"])
    rows = {row.split("</td>")[0].split("<td>")[1]: row for row in text.split("<tr>")[1:]}
    assert set(rows) == set(by_method.planned())
    for label in ("AT", "VID", "SemCKD", "CRD", "SRRL", "SimKD f=8", "DIST"):
        assert "not trained here" in rows[label], label
    assert "not trained here" not in rows["SimKD"] + rows["FitNet"] + rows["KD T=4"]
    for row in literature.FIGURES:
        label = methods.label(row.method, methods.parameters_of(methods.create(row.method, row.parameters)))
        assert row.text.replace(" ", "\u00a0") in rows[label.replace("factor", "f")]
    cells = {label: re.findall("<td>(.*?)</td>", row) for label, row in rows.items()}
    assert cells["MSE"][4] == "–"  # nobody published it for this pair
    assert cells["SimKD"][5:] == ["–"] * (len(by_method.MUS) + 1) and "–" not in cells["FitNet"]
    of_kd = [run.history.iloc[-1] for run in by_method.groups(studies["digits"])["KD T=4"]]
    own, other = (sum(row[column] for row in of_kd) / len(of_kd) for column in ("mu_raw", "bystander_mu_raw"))
    assert cells["KD T=4"][5] == f"{own:.3g} ({other:.3g})"


def test_a_method_of_one_s_own_parameters_has_its_row(studies: dict[str, Study]) -> None:
    text = methods_table.as_html(studies["cifar100-small"])
    assert "KD T=2" in text and "nan" not in text.lower()


def test_what_a_method_learns_from_follows_from_its_terms() -> None:
    told = {name: methods_table._learns_from(name) for name in by_method.METHODS}
    assert (told["normal"], told["simkd"], told["kd"]) == ("labels", "maps", "labels and logits")
    assert all(("labels" in text) == (name != "simkd") for name, text in told.items())


def test_one_test_image_is_what_the_snapshot_says(studies: dict[str, Study]) -> None:
    text = methods_table.table_sentence(studies["digits"])
    assert f"One test image of 60 is {1 / 60:.2%}" in text and methods_table.NO_MU in text
    assert methods_table.NO_MU not in methods_table.table_sentence(studies["cifar100-small"])


def test_rounding_is_no_distance() -> None:
    assert [methods_table.number(value, ".3g") for value in (4e-6, 0.12345, np.nan)] == ["0", "0.123", "–"]


# ------------------------------------------------------------------------------------------------ accuracy against mu
def test_every_mark_stands_at_its_run_s_last_values(studies: dict[str, Study]) -> None:
    study = studies["digits"]
    fig = methods_table.scatter(study).figure
    assert {trace.name for trace in fig.data} == {"normal", "KD T=4", "MSE", "FitNet"}  # SimKD has no mu
    (upper,) = [trace for trace in fig.data if trace.name == "FitNet" and trace.xaxis == "x"]
    (lower,) = [trace for trace in fig.data if trace.name == "FitNet" and trace.xaxis == "x2"]
    tables = [Run(study.folder / f"fitnet-wd0.0005-s{seed}").history.iloc[-1] for seed in (0, 1, 2)]
    assert list(upper.x) == rounded([row["mu_raw"] for row in tables])
    assert list(lower.x) == rounded([row["mu_rotated"] for row in tables])
    assert list(upper.y) == list(lower.y) == rounded([row["test_accuracy"] for row in tables])
    drawable(fig)


def test_an_order_needs_three_methods(studies: dict[str, Study]) -> None:
    assert "Over the 4 methods with a μ" in methods_table.scatter_sentence(studies["digits"])
    assert "Fewer than three" in methods_table.scatter_sentence(studies["cifar100-small"])
    assert by_method.rank(pd.Series([1e-14, 2e-14, 0.0]), pd.Series([1.0, 2.0, 3.0])) == "undefined"
    assert by_method.rank(pd.Series([3.0, 2.0, 1.0]), pd.Series([1.0, 2.0, 3.0])) == "−1.00"


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
    fig = drawn_rows.likeness(study).figure
    assert [trace.name for trace in fig.data] == ["with the bystander", "with the teacher"]
    assert list(fig.data[1].y) == rounded(table["teacher"]) and list(fig.data[0].y) == rounded(table["bystander"])
    assert fig.layout.shapes[0].y0 == pytest.approx(class_rows.between_teachers(study))
    assert "nan" not in drawn_rows.sentence(study, table)
    drawable(fig)


def test_likeness_without_teachers_says_so(studies: dict[str, Study]) -> None:
    study = replace(studies["cifar100-small"], folder=Path("nowhere"))
    assert "no rows to compare with" in drawn_rows.sentence(study, class_rows.agreements(study))


# ----------------------------------------------------------------------------------------------------------- ablations
def test_alphas_run_from_normal_training_up(chosen: StudiesParameters) -> None:
    found = variations.alphas(chosen)
    assert list(found) == ["digits"]  # the other study has one alpha
    varied = found["digits"]
    assert varied.places == ["0", "0.1", "0.9", "1"]
    assert set(varied.table["line"]) == {"normal", "KD T=4", "MSE"}
    seeds = varied.table[varied.table["line"] == "KD T=4"].groupby("x")["seed"].apply(sorted).to_dict()
    assert seeds == {"0.1": [1], "0.9": [0, 1]}
    assert ablations.absent(chosen, found, "more than one α") == "Not trained for `cifar100-small`: more than one α."
    assert ablations.absent(replace(chosen, profiles=["digits"]), found, "") == ""


def test_a_line_goes_through_the_means_over_seeds(chosen: StudiesParameters) -> None:
    varied = variations.alphas(chosen)["digits"]
    fig = ablations.alpha(varied).figure
    (line,) = [trace for trace in fig.data if trace.name == "KD T=4" and trace.yaxis == "y" and "lines" in trace.mode]
    folder = varied.study.folder
    runs = [Run(folder / f"kd-T4-a0.9-wd0.0005-s{seed}") for seed in (0, 1)]
    mean = np.mean([run.history["mu_raw"].iloc[-1] for run in runs])
    assert dict(zip(line.x, line.y, strict=True))["0.9"] == rounded([mean])[0]
    markers = [trace for trace in fig.data if trace.name == "KD T=4" and trace.mode == "markers"]
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
    text = ablations.mse_sentence(found["digits"])
    assert text.startswith("At T = 1, 10 and 50 KD differs") and "MSE has one seed here" in text
    drawable(ablations.high_temperature(found["digits"]).figure)


def test_both_schedules_show_what_both_have(chosen: StudiesParameters) -> None:
    varied = variations.schedules(chosen)["digits"]
    assert varied.lines == ["drops 15/18/21", "drops 12/15/18/21"]
    assert varied.places == ["normal", "KD T=4"] and set(varied.table["seed"]) == {0}
    assert len(varied.table) == 4
    drawable(ablations.schedule(varied).figure)


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
    drawable(ablations.t_squared(varied).figure)


def test_what_the_other_reading_changes_is_told_from_the_runs(chosen: StudiesParameters) -> None:
    for found in (variations.schedules(chosen), variations.readings(chosen)):
        table = found["digits"].table
        one, other = (part.set_index("x") for _, part in table.groupby("line", sort=False))
        text = ablations.both_sentence(found["digits"])
        share = other["mu"] / one["mu"] - 1
        assert f"{share.min():+.1%} to {share.max():+.1%}" in text and "over 2 methods and 1 seed:" in text
        assert f"its sign turns in {int((one['r'] * other['r'] < 0).sum())} of 2" in text


def test_no_sentence_tells_of_what_is_no_number(chosen: StudiesParameters, studies: dict[str, Study]) -> None:
    texts = [methods_table.curves_sentence(study) for study in studies.values()]
    texts += [ablations.ends_sentence(varied) for varied in variations.alphas(chosen).values()]
    assert not any("nan" in text.lower() for text in texts)


def test_missing_runs_leave_nothing_out_but_themselves(tmp_path: Path) -> None:
    make(tmp_path / "digits", [spec("kd", {"temperature": 4})])
    chosen = StudiesParameters(profiles=["digits"], results_dir=str(tmp_path))
    for read in (variations.alphas, variations.temperatures, variations.schedules, variations.readings):
        assert read(chosen) == {}
    study = chosen.studies(methods=by_method.METHODS)["digits"]
    assert "not trained here" in methods_table.as_html(study) and methods_table.table_sentence(study)
    drawable(methods_table.scatter(study).figure)


def test_the_chapters_methods_are_all_that_are_no_intervention() -> None:
    assert set(by_method.METHODS) == {
        name for name in ORDER if methods.METHODS[name].__module__.split(".")[-1] not in ("interventions", "maps")
    }
