"""Own teacher less another's, over ordered pairs of teachers."""

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from designs import make, spec
from made_up import SPEC, TEACHER_SPEC, write

from kdnb import runs
from kdnb.analysis import crossed
from kdnb.analysis.study import Study
from kdnb.figures.statistics import crossed as drawn_crossed


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return make(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def pairs() -> pd.DataFrame:
    """Three teachers, six pairs; teacher 0 is 5 nearer to everybody, and own teachers 2 nearer than others."""
    traits = {0: 5.0, 1: 0.0, 2: 0.0}
    rows = [
        {"teacher": t, "bystander": b, "label": "KD T=4", "seed": seed, "measure": measure}
        | {"own": sign * (2 + traits[t]) + seed, "other": sign * traits[b] + seed}
        for t in traits
        for b in traits
        if t != b
        for seed in (0, 1)
        for measure, sign in (("cka", 1), ("mu_matched", -1))
    ]
    return pd.DataFrame(rows)


def test_a_trait_of_one_teacher_cancels_in_the_two_orders(pairs: pd.DataFrame) -> None:
    """One pair alone would say 7, or -3; in both orders together what is left is the 2 that the student learned."""
    found = crossed.contrasts(pairs)
    assert set(found["seeds"]) == {(0, 1)}
    for measure in ("cka", "mu_matched"):
        part = found[found["measure"] == measure]
        assert sorted(part["nearer"]) == [-3, -3, 2, 2, 7, 7]
        assert crossed.by_teacher(part)["KD T=4"] == pytest.approx([2, 2, 2])
        one_way = part[(part["teacher"] < part["bystander"]) | (part["teacher"] == 2)]  # (1, 0) is missing
        assert crossed.by_teacher(one_way)["KD T=4"] == pytest.approx([2])


def test_more_likeness_is_nearer_and_so_is_less_of_a_distance() -> None:
    alike = ("classifier_cosine", "plug_in_accuracy_matched", "cka", "agreement")
    apart = ("mu_raw", "mu_matched", "mu_rotated", "divergence")
    rows = [
        {"teacher": t, "bystander": 1 - t, "label": "KD T=4", "seed": 0, "measure": name, "own": own, "other": 2}
        for t in (0, 1)
        for names, own in ((alike, 3), (apart, 1))
        for name in names
    ]
    found = crossed.contrasts(pd.DataFrame(rows))
    assert set(found["measure"]) == set(crossed.MEASURES) and set(found["nearer"]) == {1}


def test_what_each_teacher_passes_on_is_told_from_its_pairs(pairs: pd.DataFrame) -> None:
    """Teachers that pass on 1, 2 and 6 more than planted above: their pairs overlap, and are no three values."""
    passed = pairs["measure"].map(crossed.MEASURES) * pairs["teacher"].map({0: 1, 1: 2, 2: 6})
    found = crossed.contrasts(pairs.assign(own=pairs["own"] + passed))
    for _, part in found.groupby("measure"):
        assert crossed.by_teacher(part)["KD T=4"] == pytest.approx([3, 4, 8])
        two = part[part[crossed.PAIR].max(axis=1) < 2]
        assert crossed.by_teacher(two)["KD T=4"] == pytest.approx([3.5])


def test_seeds_of_one_order_alone_are_left_out(pairs: pd.DataFrame) -> None:
    """They would keep the trait of that order: normal training's mean was not zero."""
    one_order = (pairs["teacher"] == 0) & (pairs["bystander"] == 1) & (pairs["seed"] == 0)
    further = pairs[one_order].assign(seed=2, own=100.0)
    both = [crossed.contrasts(found) for found in (pairs, pd.concat([pairs, further]))]
    pd.testing.assert_frame_equal(*both)


def test_students_of_another_recipe_are_no_further_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weight decays that one pair alone has would be taken for seeds: they share a label."""
    monkeypatch.setattr(runs.Run, "weights_checksum", property(lambda run: str(run.spec.init_seed)))
    teachers = [{"model": "resnet20", "checksum": str(seed)} for seed in (0, 1)]
    specs = [replace(SPEC, init_seed=seed, weight_decay=decay) for seed, decay in ((0, 5e-4), (1, 5e-4), (0, 0.0))]
    for name, (own, other), made in (("first", teachers, specs), ("second", teachers[::-1], specs[:2])):
        for one in made:
            write(tmp_path / name, replace(one, teacher=own, bystander=other))
        for seed in (0, 1):
            write(tmp_path / name, replace(TEACHER_SPEC, init_seed=seed))
    both = [tmp_path / "first", tmp_path / "second"]
    found = crossed.table(both)
    assert len(found) == 4 * found["measure"].nunique() > 0
    (tmp_path / "link").symlink_to(both[0])
    pd.testing.assert_frame_equal(crossed.table([*both, both[0], tmp_path / "link"]), found)
    for name, (own, other) in (("third", teachers), ("fourth", teachers[::-1])):
        write(tmp_path / name, replace(SPEC, model="resnet14", teacher=own, bystander=other))
    with pytest.raises(ValueError, match="students called normal were trained in several ways"):
        crossed.table([*both, tmp_path / "third", tmp_path / "fourth"])
    for seed in (0, 1):
        shutil.rmtree(tmp_path / "second" / replace(SPEC, init_seed=seed).name)
    write(tmp_path / "second", replace(SPEC, weight_decay=2e-3, teacher=teachers[1], bystander=teachers[0]))
    with pytest.raises(ValueError, match="no student was trained alike with all 2 pairs"):
        crossed.table([tmp_path / "first", tmp_path / "second"])


def test_what_not_every_pair_has_is_left_out(pairs: pd.DataFrame) -> None:
    some = pairs[(pairs["measure"] == "cka") | (pairs["teacher"] == 0)]
    assert set(crossed.contrasts(some)["measure"]) == {"cka"}


def test_rows_are_the_last_epochs_columns_and_other_folders_are_asked_for(tiny_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="students of one pair of teachers alone; name the folders of other pairs"):
        crossed.table([tiny_folder])
    (tmp_path / "other").mkdir()
    for run in runs.find(tiny_folder, role="student"):
        (tmp_path / "other" / run.path.name).symlink_to(run.path)
    with pytest.raises(ValueError, match="was trained with teacher .*, which is in none of the folders"):
        crossed.table([tmp_path / "other"])
    run = runs.find(tiny_folder, role="student", method="kd")[0]
    assert run.spec.teacher is not None and run.spec.bystander is not None
    names = {run.spec.teacher["checksum"]: 0, run.spec.bystander["checksum"]: 1}
    rows = crossed._rows(run, names)
    assert len(rows) == len(crossed.MEASURES) and {row["name"] for row in rows} == {run.path.name}
    cka = next(row for row in rows if row["measure"] == "cka")
    assert (cka["own"], cka["other"]) == tuple(run.history.iloc[-1][["cka", "bystander_cka"]])


def test_the_figure_and_the_sentence_say_what_is_nearer(study: Study, pairs: pd.DataFrame) -> None:
    assert "cannot be told" in drawn_crossed.own_less_other([study]).answer
    is_cka, both = pairs["measure"] == "cka", pairs["teacher"] + pairs["bystander"]  # 1, 2 or 3
    gaps = (2 + pairs["teacher"] / 10).where(is_cka, 5 * (both - 2))
    close = pairs.assign(own=pairs["other"] + gaps)
    found = crossed.contrasts(close)
    said = drawn_crossed.told(found)
    assert said.startswith("KD T=4 is nearer to its own in 1 of 2 measures, CKA +2.1 (")
    assert said.endswith(" (3 teachers in 6 ordered pairs, 2 seeds each)")
    assert drawn_crossed.told(found.assign(label="normal")).startswith("it cannot be told of KD T=4 (3 teachers")
    pairs_of = "(3 teachers in 6 ordered pairs, 2 seeds each)"
    for part, word, brief in (
        (found, "not beyond chance on x: KD T=4 is ", "not beyond chance on x, in 1 of 2 measures"),
        (found[found["measure"] == "cka"], "yes on x: KD T=4 is nearer", "yes on x, in 1 of 1 measure"),
        (
            found[found["measure"] != "cka"],
            "not seen on x: KD T=4 is nearer to its own in none of 1 measure (",
            "not seen on x, in 0 of 1 measure",
        ),
        (found.assign(label="normal"), "on x it cannot be told of KD T=4 (", "on x it cannot be told of KD T=4"),
    ):
        assert drawn_crossed._sentence("x", part).startswith(word)
        assert drawn_crossed._brief("x", part) == f"{brief} {pairs_of}"
    fig = drawn_crossed._panels(study, found)
    assert {run.spec.init_seed for run in study.groups["KD T=4"]} == {0, 1, 2}  # of which two are compared
    assert [name for name in fig.layout.meta["runs"] if "kd-T4" in name] == [spec("kd", seed).name for seed in (0, 1)]
    (means,) = [t for t in fig.data if t.name == "mean over the teachers" and t.yaxis == "y5"]
    assert means.y[0] == pytest.approx(2.1) and means.error_y.array[0] < 0.4


def test_only_labels_of_the_studys_own_students_are_told(study: Study, pairs: pd.DataFrame, tmp_path: Path) -> None:
    """Those of another weight decay were told for whichever was asked for."""
    mine, other = (replace(spec("kd"), weight_decay=decay).name for decay in (5e-4, 0.0))
    hot = pairs.assign(label="KD T=1", name=other)
    (tmp_path / "comparisons").mkdir()
    pd.concat([pairs.assign(name=mine), hot]).to_parquet(tmp_path / crossed.FILE)
    found = crossed.contrasts_of(replace(study, folder=tmp_path))
    pd.testing.assert_frame_equal(found.reset_index(drop=True), crossed.contrasts(pairs))
    hot.to_parquet(tmp_path / crossed.FILE)
    assert crossed.contrasts_of(replace(study, folder=tmp_path)).empty
    pairs.to_parquet(tmp_path / crossed.FILE)
    with pytest.raises(ValueError, match="crossed.parquet is damaged .it lacks the students' names"):
        crossed.contrasts_of(replace(study, folder=tmp_path))


def test_two_teachers_of_one_seed_are_no_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By their seeds they would be taken for one."""
    monkeypatch.setattr(runs.Run, "weights_checksum", property(lambda run: f"{run.spec.model}-{run.spec.init_seed}"))
    for model in ("resnet14", "resnet20"):
        pair = [{"model": model, "checksum": f"{model}-{seed}"} for seed in (0, 1)]
        for own, other in (pair, pair[::-1]):
            folder = tmp_path / own["checksum"]
            write(folder, replace(SPEC, teacher=own, bystander=other))
            for seed in (0, 1):
                write(folder, replace(TEACHER_SPEC, model=model, init_seed=seed))
    folders = sorted(tmp_path.iterdir())
    assert len(crossed.table(folders[:2]))
    with pytest.raises(ValueError, match="two teachers that differ have one seed"):
        crossed.table(folders)
