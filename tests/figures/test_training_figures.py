"""Figures of training show what the store holds."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up import SPEC, kd, store, write

from kdnb import data
from kdnb.analysis import class_rows
from kdnb.analysis import nearness as distances
from kdnb.figures import training
from kdnb.runs import Run, find, load


def test_curves_are_the_history(tiny_runs: list[Run]) -> None:
    (run,) = [run for run in tiny_runs if run.label == "KD T=4"]
    left, right = ({t.name: t for t in training._curves(run).data if t.xaxis == axis} for axis in ("x", "x2"))
    assert (len(left), len(right)) == (4, 3)
    np.testing.assert_allclose(left["training loss, of which kd"].y, run.history["loss_kd"], rtol=5e-4)
    np.testing.assert_allclose(right["test images"].y, run.history["test_accuracy"], rtol=5e-4)
    assert left["test images"].line == right["test images"].line  # one entry of the legend for both panels
    assert [trace.name for trace in training._curves(run).data if trace.showlegend].count("test images") == 1


def test_the_students_curves_open_on_kd_and_the_answer_is_of_it(tiny_runs: list[Run]) -> None:
    made = training.student_curves(tiny_runs)
    (run,) = [run for run in tiny_runs if run.label == "KD T=4"]
    shares = run.history["loss_kd"] / run.history["loss"]
    assert made.start == f"KD T=4, seed {run.spec.init_seed}"
    early, late = (f"{share:.0%}" for share in (shares.iloc[0], shares.iloc[-1]))
    assert f" makes up {early} of KD T=4's loss in the first epoch, {late} in the last.**" in made.answer
    normal = [run for run in tiny_runs if run.label == "normal"]
    assert training.student_curves(normal).answer == "**normal learns from the labels alone.**"


def test_runs_of_which_no_session_is_recorded_have_an_empty_table(tmp_path: Path) -> None:
    """As where a damaged provenance.json was moved away: the chapters' last cell used to end in a KeyError."""
    assert training.provenance_table(store(tmp_path, [SPEC]).students).empty


@pytest.mark.parametrize(
    "shares, so",
    [
        ((0.6, 0.9), "Mostly on distillation: it makes up 60%"),
        ((0.4, 0.1), "Mostly on the labels: distillation makes up 40%"),
        ((0.9, 0.1), "On one early and on the other late: distillation makes up 90%"),
    ],
)
def test_what_a_student_works_on_is_what_most_of_its_loss_is(
    tmp_path: Path, shares: tuple[float, float], so: str
) -> None:
    run = write(tmp_path, kd(4))
    table = run.history[["epoch"]].assign(loss=2.0, loss_ce=0.0, loss_kd=np.linspace(2 * shares[0], 2 * shares[1], 24))
    table.to_parquet(run.path / "history.parquet")
    assert training._terms(Run(run.path)).startswith(f"**{so} of KD T=4's loss")


def test_what_distillation_makes_up_of_the_loss_is_all_but_cross_entropy() -> None:
    """SRRL's second term, its regression, is most of it."""
    run = load(Path(__file__).parents[2] / "results" / "digits" / "srrl-wd0.0005-s0")
    rest = 1 - run.history["loss_ce"] / run.history["loss"]
    said = f"makes up {rest.iloc[0]:.0%} of SRRL's loss in the first epoch, {rest.iloc[-1]:.0%} in the last"
    assert said in training.student_curves([run]).answer


def test_nearness_is_the_difference_of_the_last_epoch_by_seed(tmp_path: Path) -> None:
    students = store(tmp_path / "own", [SPEC, kd(4)]).students
    for seed in (1, 2):
        write(tmp_path / "own", replace(kd(4), init_seed=seed))
    write(tmp_path / "own", replace(kd(4), init_seed=3, weight_decay=0.0))  # another experiment
    shown = distances.alike(students, [tmp_path / "own"])
    found = distances.differences(shown)
    assert {label: sorted(values) for label, values in found.items()} == {"normal": [0], "KD T=4": [0, 1, 2]}
    for run in students:
        last = run.history.iloc[-1]
        assert found[run.label][0] == last["mu_raw"] - last["bystander_mu_raw"]
    fig = training.nearness(students, "digits").figure
    assert fig.layout.meta["seeds"] == [0, 1, 2] and len(fig.layout.meta["runs"]) == 4
    assert [trace.name for trace in fig.data] == ["seed 0", "seed 1", "seed 2"]
    assert len({trace.marker.symbol for trace in fig.data}) == 3


@pytest.mark.parametrize(
    ("others", "word"),
    [((-1.0, -1.1), "Yes: "), ((9.0, -9.0), "It cannot be told: "), ((1.0,), "It cannot be told from 2 seeds: ")],
)
def test_seeds_decide_who_is_nearer_and_not_the_students_of_one(
    tmp_path: Path, others: tuple[float, ...], word: str
) -> None:
    students = store(tmp_path / "own", [SPEC, kd(4)]).students
    seeds = dict(enumerate((-1.05, *others)))
    said = training._nearer(students, {"normal": seeds, "KD T=4": seeds})
    assert said.startswith(f"**{word}2 of 2 students of seed 0 end nearer to their teacher")
    assert "no bystander" in training._nearer(students, {})
    more = {"normal": seeds, "KD T=4": seeds, "KD T=1": {0: 90.0}}  # of one seed alone: no part of the mean over seeds
    assert training._nearer(students, more).split("mean difference")[1:] == [
        f" of the 2 that all have{rest}" for rest in said.split("mean difference")[1:]
    ]


def test_the_most_alike_classes_have_the_greatest_cosine(tiny_runs: list[Run]) -> None:
    weight = class_rows.last_weight(tiny_runs[0])
    one, other, top, least = class_rows.most_alike(weight)
    cosines = np.corrcoef(weight - weight.mean(0)) * 0
    rows = weight - weight.mean(0)
    for i, j in np.ndindex(cosines.shape):
        cosines[i, j] = rows[i] @ rows[j] / np.linalg.norm(rows[i]) / np.linalg.norm(rows[j])
    off = cosines[~np.eye(len(cosines), dtype=bool)]
    assert cosines[one, other] == pytest.approx(top) == off.max() and least == pytest.approx(off.min())
    made = training.class_similarity(tiny_runs[0], list("0123456789"))
    assert made.start == made.labels[-1] and f"most alike: {one} and {other}" in made.answer


def test_class_similarity_is_the_cosine_of_centred_rows(tiny_runs: list[Run]) -> None:
    run = tiny_runs[0]
    shown = np.asarray(training._class_similarity(run, 2, list("0123456789")).data[0].z)
    weight = run.trace()[0][1] - run.trace()[0][1].mean(0)
    for i, j in ((0, 0), (2, 7)):
        expected = weight[i] @ weight[j] / np.linalg.norm(weight[i]) / np.linalg.norm(weight[j])
        assert shown[i, j] == pytest.approx(expected, abs=6e-4)


def test_class_names_are_drawn_as_text_not_as_html(tiny_runs: list[Run]) -> None:
    names = ["<b>cat</b>", "R&D", "a<br>b", *"3456789"]
    drawn = training._class_similarity(tiny_runs[0], 2, names).data[0]
    assert list(drawn.x[:3]) == ["&lt;b&gt;cat&lt;/b&gt;", "R&amp;D", "a&lt;br&gt;b"] and list(drawn.y) == list(drawn.x)


def test_results_are_of_the_last_epoch(tiny_runs: list[Run]) -> None:
    table = training.results(tiny_runs)
    for run in tiny_runs:
        last = run.history.iloc[-1]
        assert table.loc[run.label, "test, last epoch (%)"] == pytest.approx(100 * last["test_accuracy"], abs=0.01)
        assert table.loc[run.label, "μ"] == pytest.approx(last["mu_raw"], abs=0.006)


def test_the_teachers_answer_is_its_last_accuracy(tiny_folder: Path) -> None:
    (teacher, _) = find(tiny_folder, role="teacher")
    made = training.teacher_curves(teacher, data.load("digits", limit=128))
    right = teacher.history.iloc[-1]
    assert made.answer.startswith(f"**{right['clean_accuracy']:.2%} of the training images")
    assert f"{right['test_accuracy']:.2%} of the test images (guessing: 10%)" in made.answer
    assert "128 training and" in made.says and f"seed {teacher.spec.init_seed}" in made.says


def test_provenance_has_a_row_a_session(tiny_runs: list[Run]) -> None:
    table = training.provenance_table(tiny_runs)
    (row,) = table.itertuples()
    assert "<details>" in training.provenance(tiny_runs).table
    assert row.epochs == "1 to 3" and row.runs == ", ".join(run.label for run in tiny_runs)


def test_jobs_that_start_in_the_same_second_keep_their_rows(tmp_path: Path, tiny_runs: list[Run]) -> None:
    session = tiny_runs[0].provenance["sessions"][0]
    runs = [Run(tmp_path / name) for name in ("one", "other")]
    for run, original in zip(runs, tiny_runs, strict=False):
        shutil.copytree(original.path, run.path)
        run.write_provenance({"sessions": [session | {"group": [run.path.name]}]})
    assert training.provenance_table(runs)["runs"].tolist() == [original.label for original in tiny_runs[:2]]
