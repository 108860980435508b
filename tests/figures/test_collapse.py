"""Neural collapse beside random rows, of published students."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kdnb.analysis import collapse, selection
from kdnb.analysis.study import Study
from kdnb.figures.geometry import collapse as shown
from kdnb.measure import align

RESULTS = Path(__file__).parents[2] / "results"


def studies(methods: tuple[str, ...]) -> Mapping[str, Study]:
    return selection.StudiesParameters(profiles=("digits", "cifar100-small")).studies(methods=methods)


# ------------------------------------------------------------------------------------------------------------- collapse
@pytest.mark.parametrize(("classes", "features"), [(5, 8), (5, 4), (5, 2), (100, 64)])
def test_the_least_gap_is_reached_by_a_simplex_cut_to_the_features_there_are(classes: int, features: int) -> None:
    simplex = np.eye(classes) - 1 / classes
    values, vectors = np.linalg.eigh(simplex)
    kept = vectors[:, np.argsort(values)[::-1][: min(features, classes - 1)]]
    assert align.simplex_gap(kept) == pytest.approx(collapse.least_gap(classes, features), abs=1e-7)
    rng = np.random.default_rng(0)
    nearby = (kept + 0.1 * rng.normal(size=kept.shape) for _ in range(20))
    assert min(map(align.simplex_gap, nearby)) > collapse.least_gap(classes, features)


def test_random_rows_are_as_far_from_a_simplex_as_random_angles_make_them() -> None:
    """K unit rows without their mean: the simplex's Gram matrix, and noise of variance 1/D in K - 2 of K - 1 axes."""
    classes, features = 10, 640
    found = collapse.random_gap(np.ones((classes, features)), np.random.default_rng(0))
    assert found == pytest.approx(np.sqrt((classes - 2) / features), rel=0.05)


def test_the_table_has_the_histories_last_epoch_and_the_answer_the_side_of_its_interval() -> None:
    found = studies(selection.PAPERS)
    made = shown.collapsed(found)
    for name, side in (("digits", "nearer"), ("cifar100-small", "farther")):
        files = sorted((RESULTS / name).glob("kd-T4-a0.9-wd0.0005-s?/history.parquet"))
        nc = pd.DataFrame([pd.read_parquet(file).iloc[-1] for file in files])[["nc1", "nc2", "nc3"]]
        rows = collapse.table(found[name]).set_index("label").loc["KD T=4"]
        np.testing.assert_allclose(rows[["nc1", "nc2", "nc3"]].to_numpy(float), nc.to_numpy(float))
        gap = (rows["nc2"] - rows["random"]).to_numpy(float)
        assert np.sign(gap).tolist() == [-1.0 if side == "nearer" else 1.0] * len(gap)
        assert f"{side} on {name}: NC2 of KD T=4 {nc['nc2'].mean():.3g}"[:30] in made.answer.replace("Nearer", "nearer")
    assert made.table.count("<tr>") == 10
