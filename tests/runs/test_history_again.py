"""Every column of a history again, from the stored outputs and weights of its last epoch."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import optimize, special

from kdnb.measure import align
from kdnb.runs import Run
from kdnb.runs.contents import Snapshot

ONE_IN_128 = 0.0081  # half precision may turn one answer of the 128 test images
Array = NDArray[np.floating]


def outputs(run: Run) -> tuple[Snapshot, Snapshot]:
    """Of the last epoch, on test and on clean training images."""
    test, clean = run.snapshot("final"), run.snapshot("final", "train")
    assert test is not None and clean is not None
    return test, clean


def right(logits: Array, labels: Array, count: int = 1) -> float:
    return float(np.mean([label in np.argsort(-row)[:count] for row, label in zip(logits, labels, strict=True)]))


def cosines(one: Array, other: Array) -> float:
    lengths = np.maximum(np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1), 1e-30)
    return float(((one * other).sum(1) / lengths).mean())


def test_what_is_said_of_a_network_alone(tiny_runs: list[Run]) -> None:
    """Which images each is of: a clean accuracy that was the test set's would choose on the test set."""
    for run in tiny_runs:
        last, (test, clean) = run.history.iloc[-1], outputs(run)
        weight, bias = (values[-1] for values in run.trace())
        assert last["lr"] == run.spec.lr_at(3) and 0 < last["train_accuracy"] < 1
        assert last["bias_norm"] == pytest.approx(np.linalg.norm(bias), rel=1e-5)
        assert last["feature_norm"] == pytest.approx(np.linalg.norm(test.features, axis=1).mean(), rel=1e-3)
        spread = np.sqrt((test.logits.astype(float).std(axis=1) ** 2).mean())
        assert last["logit_std"] == pytest.approx(spread, rel=1e-3)
        assert last["clean_accuracy"] == pytest.approx(right(clean.logits, clean.labels), abs=2 / len(clean.labels))
        assert last["test_top5_accuracy"] == pytest.approx(right(test.logits, test.labels, 5), abs=ONE_IN_128)
        log_p = special.log_softmax(test.logits.astype(float), axis=1)
        assert last["test_loss"] == pytest.approx(-log_p[np.arange(len(log_p)), test.labels].mean(), rel=1e-3)
        collapse = align.neural_collapse(clean.features, clean.labels, weight)
        assert tuple(last[["nc1", "nc2", "nc3"]]) == pytest.approx(tuple(collapse), rel=5e-3)


@pytest.mark.parametrize(("seed", "prefix"), [(0, ""), (1, "bystander_")])
def test_what_is_said_beside_a_teacher(tiny_folder: Path, tiny_runs: list[Run], seed: int, prefix: str) -> None:
    """Each distance and similarity by its definition: whose scale is whose, and the relabelling in its direction."""
    teacher = Run(tiny_folder / f"teacher-s{seed}")
    theirs, theirs_clean = outputs(teacher)
    weight, bias = (teacher.weights()[f"classifier.{name}"].double().numpy() for name in ("weight", "bias"))
    taught = theirs.logits.astype(float)
    for run in tiny_runs:
        last, (test, clean) = run.history.iloc[-1], outputs(run)
        trained, trained_bias = (values[-1].astype(float) for values in run.trace())
        log_p, log_q = (special.log_softmax(logits.astype(float), axis=1) for logits in (taught, test.logits))
        with np.errstate(invalid="ignore"):  # a feature that is never active has no correlation
            correlation = np.nan_to_num(np.corrcoef(theirs_clean.features.T, clean.features.T)[:64, 64:])
        order = optimize.linear_sum_assignment(correlation, maximize=True)[1]
        best = optimize.linear_sum_assignment(weight.T @ trained, maximize=True)[1]
        gap, spreads = weight - trained, [one.features.std(0, ddof=1) for one in (theirs_clean, clean)]
        nuclear = np.linalg.svd(weight.T @ trained, compute_uv=False).sum()
        shuffle = torch.randperm(len(test.labels), generator=torch.Generator().manual_seed(0)).numpy()
        raw, centred = ((f, g) for f, g in _pairs(theirs.features, test.features))
        cross, own, other = (np.linalg.norm(a.T @ b) for a, b in (centred, (centred[0],) * 2, (centred[1],) * 2))
        found = {
            "mu_centred": np.linalg.norm(gap - gap.mean(0)),
            "mu_permuted": np.linalg.norm(weight - trained[:, best]),
            "mu_matched": np.linalg.norm(weight - trained[:, order]),
            "mu_rotated": np.sqrt((weight**2).sum() + (trained**2).sum() - 2 * nuclear),
            "mu_scaled": np.linalg.norm(weight * spreads[0] - (trained * spreads[1])[:, order]),
            "classifier_cosine": (weight * trained).sum() / np.linalg.norm(weight) / np.linalg.norm(trained),
            "cka": cross**2 / own / other,
            "feature_cosine": cosines(*raw),
            "feature_cosine_shuffled": cosines(raw[0], raw[1][shuffle]),
            "feature_cosine_centred": cosines(*centred),
            "feature_cosine_centred_shuffled": cosines(centred[0], centred[1][shuffle]),
            "bias_distance": np.linalg.norm(bias - trained_bias),
            "reference_logit_std": np.sqrt((taught.std(axis=1) ** 2).mean()),
            "divergence": (np.exp(log_p) * (log_p - log_q)).sum(1).mean(),
        }
        for name, value in found.items():
            assert last[f"{prefix}{name}"] == pytest.approx(value, rel=2e-3, abs=2e-4), (run.label, name)
        agreement = (log_p.argmax(1) == log_q.argmax(1)).mean()
        assert last[f"{prefix}agreement"] == pytest.approx(agreement, abs=ONE_IN_128), run.label
        for name, features in (("", test.features), ("_matched", test.features[:, order])):
            plugged = right(features @ weight.T + bias, test.labels)
            assert last[f"{prefix}plug_in_accuracy{name}"] == pytest.approx(plugged, abs=4 * ONE_IN_128), run.label


def _pairs(one: Array, other: Array) -> list[tuple[Array, Array]]:
    """Features as they are, and less their means."""
    wide = [features.astype(float) for features in (one, other)]
    return [(wide[0], wide[1]), (wide[0] - wide[0].mean(0), wide[1] - wide[1].mean(0))]
