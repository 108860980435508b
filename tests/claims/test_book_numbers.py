"""The numbers of the book's own statements again, by hand, from files of one published seed."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.linalg import norm
from safetensors.numpy import load_file
from scipy import stats
from scipy.spatial.distance import pdist

from kdnb.analysis.selection import StudiesParameters
from kdnb.analysis.study import Study
from kdnb.claims import book_numbers
from kdnb.figures import discussion

FOLDER = Path(__file__).parents[2] / "results" / "digits"
KD, NORMAL = "kd-T4-a0.9-wd0.0005-s0", "normal-wd0.0005-s0"


@pytest.fixture(scope="module")
def study() -> Study:
    return discussion.studies(StudiesParameters(profiles=("digits",)))["digits"]


@pytest.fixture(scope="module")
def seed(study: Study) -> Study:
    return study.seeds[0]


def last(name: str) -> pd.Series:
    return pd.read_parquet(FOLDER / name / "history.parquet").iloc[-1]


def last_weight(name: str) -> np.ndarray:
    return load_file(FOLDER / name / "classifier.safetensors")["weight"][-1].astype(float)


def r(name: str, column: str = "mu_raw") -> float:
    after = pd.read_parquet(FOLDER / name / "history.parquet").query("epoch > epoch.max() / 2")
    return float(np.corrcoef(after[column], after["loss"])[0, 1])


def test_classifiers_agree_as_their_weights_do_as_they_stand_and_after_a_rotation(seed: Study) -> None:
    own, other = (last_weight(f"teacher-s{k}") for k in (0, 1))
    cosines, rotated = book_numbers.cosines(seed), book_numbers.rotated(seed)
    for text, name in (("KD T=4", KD), ("normal", NORMAL)):
        mine = last_weight(name)
        assert cosines[text] == pytest.approx((mine * own).sum() / norm(mine) / norm(own), abs=1e-4)
        turned = [norm(w.T @ mine, "nuc") / norm(mine) / norm(w) for w in (own, other)]
        assert rotated[text] == pytest.approx(turned[0] - turned[1], abs=1e-4)


def test_r_is_pearsons_after_the_warm_up_and_its_distance_to_mse_s_has_no_sign(study: Study, seed: Study) -> None:
    found = book_numbers.correlations(seed)
    assert found["μ to the teacher"] == pytest.approx(r(KD))
    assert found["μ to the bystander"] == pytest.approx(r(KD, "bystander_mu_raw"))
    far = {f"T = {t}": r(f"kd-T{t}-a0.9-wd0.0005-s1") - r("mse-a0.9-wd0.0005-s1") for t in (1, 4, 10, 50)}
    assert far["T = 50"] < 0 < far["T = 1"]
    assert book_numbers.nears_mse(study.seeds[1]) == pytest.approx({text: abs(gap) for text, gap in far.items()})


@pytest.mark.parametrize("of", [book_numbers.frozen, book_numbers.springs, book_numbers.turned])
def test_points_are_the_interventions_less_kds(seed: Study, of: object) -> None:
    names = {"frozen at W_t": "frozen", "frozen at permuted W_t": "permuted", "frozen at rotated W_t": "rotated"}
    names |= {"frozen at class-shuffled W_t": "shuffled", "pulled to W_t": "pulled", "pushed from W_t": "pushed"}
    found = of(seed)  # type: ignore[operator]
    assert len(set(found) & set(names)) >= 2
    for label in set(found) & set(names):
        accuracy = last(f"{names[label]}-T4-a0.9-wd0.0005-s0")["test_accuracy"]
        assert found[label] == pytest.approx(100 * (accuracy - last(KD)["test_accuracy"]), abs=1e-6)


def test_movers_are_changes_of_a_cosine(seed: Study) -> None:
    """Sums of each teacher's pulls on mu^2, to the one less to the other, by twice the product of the lengths."""
    history = pd.read_parquet(FOLDER / KD / "history.parquet")
    total, length = history.sum(), last("teacher-s0")["weight_norm"] * history["weight_norm"].iloc[-1]
    found = book_numbers.movers(seed)
    assert found == pytest.approx(
        {
            text: (total[f"bystander_pull_{cause}"] - total[f"pull_{cause}"]) / (2 * length)
            for cause, text in (("kd", "distillation"), ("decay", "weight decay"))
        },
        rel=1e-5,
    )
    # All causes together are the change of <W_s, W_t - W_o>, which mu and the lengths tell as well.
    causes = [c.removeprefix("pull_") for c in history if c.startswith("pull_")]
    after = history[history["epoch"] > 1]
    pulled = sum((after[f"bystander_pull_{c}"] - after[f"pull_{c}"]).sum() for c in causes)
    ends = (history["bystander_mu_raw"] ** 2 - history["mu_raw"] ** 2).iloc[[0, -1]].diff().iloc[-1]
    assert pulled == pytest.approx(ends, rel=1e-3)


def test_plug_in_is_a_share_of_the_students_own_accuracy(seed: Study) -> None:
    found = book_numbers.plug_in(seed)
    for text, name in (("KD T=4", KD), ("normal", NORMAL)):
        row = last(name)
        for kind, column in (("as they are", "plug_in_accuracy"), ("matched", "plug_in_accuracy_matched")):
            assert found[f"{text}, {kind}"] == pytest.approx(row[column] / row["test_accuracy"], rel=1e-5)
    assert found["KD T=4, matched"] - found["KD T=4, as they are"] > 0.2


def test_class_geometry_is_the_own_teachers_less_the_bystanders(seed: Study) -> None:
    gaps = load_file(FOLDER / "comparisons" / "classes.safetensors")
    teacher = pdist(load_file(FOLDER / "teacher-s0" / "map.safetensors")["final_means"].astype(float))
    bystander = gaps[json.loads((FOLDER / KD / "spec.json").read_text())["bystander"]["checksum"]]
    found = book_numbers.class_geometry(seed)
    for text, name in (("KD T=4", KD), ("normal", NORMAL)):
        mine = pdist(load_file(FOLDER / name / "map.safetensors")["final_means"].astype(float))
        own, other = (stats.spearmanr(mine, theirs).statistic for theirs in (teacher, bystander))
        assert found[text] == pytest.approx(own - other, abs=2e-3)
    assert found["KD T=4"] > 0.1


def test_linear_maps_are_of_the_own_and_of_the_other_seeds_teacher(seed: Study) -> None:
    table = pd.read_parquet(FOLDER / "comparisons" / "stitching.parquet")
    table = table[(table["study"] == "digits") & (table["name"] == KD)].set_index("relation")["linear"]
    expected = {"its teacher": float(table["own"]), "another seed's teacher": float(table["alike"])}
    assert book_numbers.linear_map(seed) == pytest.approx(expected, rel=1e-6)


def test_separation_is_between_by_within_beside_normal_training(seed: Study) -> None:
    def ratio(name: str) -> float:
        measures = json.loads((FOLDER / name / "published.json").read_text())["matched"]["separation"]
        return float(measures["between"] / measures["within"])

    found = book_numbers.separation(seed)
    for t in (1, 4, 10):
        expected = ratio(f"kd-T{t}-a0.9-wd0.0005-s0") / ratio(NORMAL) - 1
        assert found[f"KD T={t}"] == pytest.approx(expected, rel=1e-6)
    assert len({round(value, 6) for value in found.values()}) == 3
