"""Stitching: does a teacher's classifier work on another network's features, and how much help does it need?

Three ways, each freer than the one before: the features as they are; relabelled; through a linear map. What the help
is found on are clean training images, what it is judged on are test images. A linear map is a strong helper: read it
beside the same map from a network that was never trained, and from the pixels.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV

from kdnb import align

Matrix = NDArray[np.floating]
# Of the ridge regression, for features of mean variance 1; which one, its leave-one-out error on the training images
# decides (scikit-learn's RidgeCV).
PENALTIES = np.logspace(-6, 6, 25)


@dataclass(frozen=True)
class Features:
    """A network's features of fixed images, N x D on clean training images and M x D on test images."""

    clean: Matrix
    test: Matrix


class Stitched(NamedTuple):
    """Test accuracy of a classifier on another network's features; nan where the widths do not allow it.

    raw      as they are
    matched  relabelled, see :func:`kdnb.align.match_features`
    linear   through a linear map, found by ridge regression of the teacher's features; ``penalty``: its strength
    """

    raw: float
    matched: float
    linear: float
    penalty: float


def stitch(weight: Matrix, bias: Matrix, teacher: Matrix, student: Features, labels: NDArray[np.integer]) -> Stitched:
    """Put a teacher's classifier (K x D, K) behind the features of ``student``, whose width may be another.

    teacher: the teacher's features of the clean images, N x D. labels: of the test images, M.
    ValueError for other numbers of images or features. Source: Lenc and Vedaldi 2015; Bansal et al. 2021.
    """

    def accuracy(features: Matrix) -> float:
        return float(((features @ weight.T + bias).argmax(1) == labels).mean())

    mapped, penalty = linear_map(student, teacher)
    if student.clean.shape[1] != teacher.shape[1]:
        return Stitched(np.nan, np.nan, accuracy(mapped), penalty)
    order = align.match_features(teacher, student.clean)
    return Stitched(accuracy(student.test), accuracy(student.test[:, order]), accuracy(mapped), penalty)


def linear_map(student: Features, teacher: Matrix) -> tuple[Matrix, float]:
    """The student's test features (M x D') mapped to where the teacher's would be (M x D), and the penalty chosen.

    The map is affine and found on the clean images alone; teacher: N x D.
    """
    if len(student.clean) != len(teacher):
        raise ValueError(
            f"{len(student.clean)} images of the student and {len(teacher)} of the teacher; they must be the same."
        )
    clean, test = (part.astype(np.float64) for part in (student.clean, student.test))
    scale = float(np.sqrt(clean.var(0).mean())) or 1.0
    found = RidgeCV(PENALTIES).fit(clean / scale, teacher.astype(np.float64))
    return found.predict(test / scale), float(found.alpha_)
