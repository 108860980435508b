"""Stitching: does a teacher's classifier work on another network's features, and how much help does it need?

Three ways, each freer than the one before: the features as they are; relabelled; through a linear map. What the help
is found on are clean training images, what it is judged on are test images. A linear map is a strong helper: read it
beside the same map from a network that was never trained, and from the pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV

from kdnb.measure import align

Matrix = NDArray[np.floating]
# Of the ridge regression, for features of mean variance 1; which one for each of the teacher's features, the
# leave-one-out error on the training images decides (scikit-learn's RidgeCV).
PENALTIES = np.logspace(-6, 6, 25)


@dataclass(frozen=True)
class Features:
    """A network's features of fixed images: N x D of clean training images, M x D of test images."""

    clean: Matrix
    test: Matrix


@dataclass(frozen=True)
class Taught:
    """A teacher's classifier, K x D and K, and its features of the clean training images, N x D."""

    weight: Matrix
    bias: Matrix
    clean: Matrix


class Stitched(NamedTuple):
    """Test accuracy of a classifier on another network's features; nan where the widths do not allow it.

    raw      as they are
    matched  relabelled, see :func:`kdnb.measure.align.match_features`
    linear   through a linear map, found by ridge regression of the teacher's features on them
    """

    raw: float
    matched: float
    linear: float


def stitch(teachers: Sequence[Taught], student: Features, labels: NDArray[np.integer]) -> list[Stitched]:
    """Put each teacher's classifier behind the features of ``student``, whose width may be another.

    labels: of the test images, M. ValueError for other numbers of images.
    Source: Csiszarik et al. 2021, direct matching; by the task's loss Lenc and Vedaldi 2015, Bansal et al. 2021.
    """
    mapped = linear_maps(student, [teacher.clean for teacher in teachers])
    return [_stitched(teacher, student, features, labels) for teacher, features in zip(teachers, mapped, strict=True)]


def _stitched(teacher: Taught, student: Features, mapped: Matrix, labels: NDArray[np.integer]) -> Stitched:
    def accuracy(features: Matrix) -> float:
        return float(((features @ teacher.weight.T + teacher.bias).argmax(1) == labels).mean())

    if student.clean.shape[1] != teacher.clean.shape[1]:
        return Stitched(np.nan, np.nan, accuracy(mapped))
    order = align.match_features(teacher.clean, student.clean)
    return Stitched(accuracy(student.test), accuracy(student.test[:, order]), accuracy(mapped))


def linear_maps(student: Features, teachers: Sequence[Matrix]) -> list[Matrix]:
    """The student's test features (M x D') mapped to where each teacher's (N x D on the clean images) would be: M x D.

    Affine, and found on the clean images alone; ValueError for other numbers of them.
    """
    if odd := [len(clean) for clean in teachers if len(clean) != len(student.clean)]:
        raise ValueError(f"{len(student.clean)} clean images of the student, {odd[0]} of a teacher; it takes the same.")
    clean, test = (part.astype(np.float64) for part in (student.clean, student.test))
    scale = float(np.sqrt(clean.var(0).mean())) or 1.0
    # One decomposition for all teachers.
    ridge = RidgeCV(PENALTIES, gcv_mode="svd", alpha_per_target=True)
    mapped = ridge.fit(clean / scale, np.hstack(teachers).astype(np.float64)).predict(test / scale)
    return np.split(mapped, np.cumsum([clean.shape[1] for clean in teachers])[:-1], axis=1)
