"""``python -m kdnb representability --profile NAME``: what is within a frozen classifier's reach?

A student whose classifier W, b is frozen can only choose its features, which are never negative. So the nearest it can
come to its teacher's logits z of an image is

    min over f >= 0 of || C (W f + b - z) ||,    C = I - 11^T / K,

a non-negative least-squares problem; C because softmax does not see what all logits share. Whatever is left is out of
that classifier's reach in this width, for any student whatsoever. Random rows leave nothing once there are about twice
as many features as classes (Wendel 1962: N random directions in d dimensions have the origin inside, and so reach
everything, with a probability that goes through 1/2 at N = 2 d).

Without a teacher: a class that no features f >= 0 give the largest logit is never answered
(``unwinnable``: how many; ``margin``: the least that one can win by, 1 at most).

Writes ``comparisons/representability.parquet`` beside published runs: a row for each student with a frozen classifier.
Published runs are enough: it takes their classifiers, and their teacher on the test images.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.optimize import linprog, nnls

from kdnb import methods, paths, runs
from kdnb.analysis import publish
from kdnb.data import Dataset, Views
from kdnb.measure.outputs import collect
from kdnb.methods.interventions import Frozen
from kdnb.runs import Run, weights

FILE = f"{paths.COMPARISONS}/representability.parquet"
IMAGES = 500  # test images, every class in its turn
MARGIN = 1e-9  # of logits, above which one is the larger; the linear program is exact to about this
Matrix = NDArray[np.floating]


class Reach(NamedTuple):
    """How near features f >= 0 bring a classifier to given logits, and whether it then says the same class."""

    residual: float  # of the centred logits' root mean square, 0: all of them are reached, 1: nothing is gained
    agreement: float  # share of images whose nearest reachable logits have their largest entry in the same place


def reach(weight: Matrix, bias: Matrix, logits: Matrix) -> Reach:
    """How near weight K x D and bias K come to ``logits`` (N x K) with non-negative features; ValueError for other K.

    Source: Lawson and Hanson 1974 (NNLS, as in scipy).
    """
    if logits.ndim != 2 or logits.shape[1] != len(weight) or weight.shape[:1] != bias.shape:
        shapes = f"weight {weight.shape}, bias {bias.shape}, logits {logits.shape}"
        raise ValueError(f"{shapes}: they must be K x D, K and N x K with one number of classes K.")
    # C W, C b and C z: each loses its mean over the classes, and the problem is an ordinary one, image by image.
    rows, offset = weight - weight.mean(0), bias - bias.mean()
    wanted = logits - logits.mean(1, keepdims=True)
    features = np.stack([nnls(rows, target - offset)[0] for target in wanted.astype(np.float64)])
    reached = features @ rows.T + offset
    # Beside the logits, not beside what the bias leaves of them: another bias is not to change the unit.
    residual = float(np.linalg.norm(reached - wanted) / np.linalg.norm(wanted))
    return Reach(residual, float((reached.argmax(1) == wanted.argmax(1)).mean()))


def margins(weight: Matrix, bias: Matrix) -> Matrix:
    """By how much each class (K) can have the largest logit with features f >= 0, weight K x D, bias K; 1 at most.

    A class that cannot, since its margin is not above zero, is never answered, whatever lies below. A linear program a
    class: the largest t with w_k f + b_k >= w_j f + b_j + t for all other j. From 1 on t is without end, as f may grow,
    but where the bias alone makes it.
    """
    classes, width = weight.shape
    found = []
    for k in range(classes):
        others = np.arange(classes) != k
        rows = np.hstack([weight[others] - weight[k], np.ones((classes - 1, 1))])
        bounds = [(0, None)] * width + [(None, 1)]
        best = linprog(np.eye(width + 1)[-1] * -1, rows, bias[k] - bias[others], bounds=bounds)
        assert best.x is not None  # some features there are, and a margin may be as low as it likes
        found.append(best.x[-1])
    return np.array(found)


def is_frozen(run: Run) -> bool:
    """Whether its classifier was given and never trained."""
    kind = methods.METHODS.get(run.spec.method)
    return kind is not None and issubclass(kind, Frozen)


def table(folder: Path, dataset: Dataset) -> pd.DataFrame:
    """A row for each student with a frozen classifier under ``folder``; ValueError without any or its teacher."""
    frozen = [run for run in runs.find(folder, role="student") if is_frozen(run)]
    if not frozen:
        raise ValueError(f"{folder} holds no student with a frozen classifier; train 'frozen', or name other runs.")
    rows: list[dict[str, object]] = []
    logits: dict[str, Matrix] = {}  # of a teacher once, however many students have its classifier
    for run in frozen:
        assert run.spec.teacher is not None  # a frozen classifier is a teacher's
        own = run.spec.teacher["checksum"]
        if own not in logits:
            logits[own] = _teachers_logits(folder, own, dataset)
        weight, bias = (values[-1] for values in run.trace())
        told = {"name": run.path.name, "label": run.label, "method": run.spec.method, "seed": run.spec.init_seed}
        sizes = {"classes": weight.shape[0], "features": weight.shape[1], "images": len(logits[own])}
        by = margins(weight, bias)
        lost = {"unwinnable": int((by <= MARGIN).sum()), "margin": float(by.min())}
        rows.append(told | sizes | reach(weight, bias, logits[own])._asdict() | lost)
    return pd.DataFrame(rows)


def _teachers_logits(folder: Path, checksum: str, dataset: Dataset) -> Matrix:
    """Logits of the teacher with ``checksum`` on some test images."""
    for run in runs.find(folder, role="teacher"):
        if run.weights_checksum == checksum:
            if run.spec.data_checksum != dataset.checksum:
                raise ValueError(
                    f"{run.path} was trained on other data ({run.spec.dataset}, {run.spec.data_checksum[:12]}) than "
                    f"{dataset.name} ({dataset.checksum[:12]}) here; name its --data-dir, or the --limit that it had."
                )
            network = weights.network(run.spec.model, run.weights(), dataset, str(run.path))
            chosen = torch.from_numpy(publish.subset(dataset.test.labels.numpy(), IMAGES))
            found: Matrix = collect(network, Views(dataset.test, dataset, "cpu"), chosen).logits.numpy()
            return found
    raise ValueError(f"{folder} lacks the teacher {checksum[:12]} of its students; name the folder that holds it.")
