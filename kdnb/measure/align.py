"""How far apart are two classifiers, two feature spaces? The measures behind every mu of the study.

A classifier is a weight W (K classes x D features). Its features may be relabelled, and rescaled by positive numbers,
without changing the function, and one vector added to every class row leaves softmax as it was. So each kind of mu
below takes out a different freedom. Always: raw >= permuted >= rotated and matched >= permuted.

Convention: a permutation p is an integer array of length D; W_s[:, p] is lined up with W_t.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from kdnb import checks

Array = NDArray[np.floating] | torch.Tensor
Matrix = NDArray[np.float64]
Permutation = NDArray[np.int64]

KINDS = ("raw", "centred", "permuted", "matched", "scaled", "rotated")  # of distances between classifiers


def classifier_distance(
    teacher_weight: Array,
    student_weight: Array,
    kind: str,
    permutation: Array | Permutation | None = None,
    teacher_scale: Array | None = None,
    student_scale: Array | None = None,
) -> float:
    """Distance mu between two classifiers, with the freedoms named by ``kind`` taken out.

    ==========  ==================================================================================================
    raw         ||W_t - W_s||, the paper's mu
    centred     the same after subtracting the mean class row from each (softmax cannot see that row)
    permuted    the least ||W_t - W_s[:, p]|| over all p (found on W itself: a lower bound, not evidence)
    matched     ||W_t - W_s[:, p]|| for the given p, found on the features: the honest one
    scaled      matched, columns first multiplied by the standard deviation of their feature
    rotated     the least ||W_t - W_s Q|| over orthogonal Q (Procrustes; a function of the class Grams alone)
    ==========  ==================================================================================================

    ``teacher_weight``, ``student_weight``: K x D. ``permutation``: length D (matched, scaled). ``teacher_scale``,
    ``student_scale``: length D, each in its own network's feature order (scaled).
    Norms are Frobenius; the unit is that of W. Raises ValueError for an unknown kind, a missing argument, unequal
    shapes or values that are not finite.
    Source: Dua 2023 (raw); Ainsworth et al. 2023, Git Re-Basin (permuted, matched); Schoenemann 1966 (rotated).
    """
    checks.choice("kind of distance", kind, KINDS)
    teacher, student = check_pair(teacher_weight, student_weight)
    if kind == "scaled":
        teacher = teacher * _scale("teacher_scale", teacher_scale, teacher.shape[1])
        student = student * _scale("student_scale", student_scale, student.shape[1])
    if kind in ("matched", "scaled"):
        student = student[:, _permutation(kind, permutation, student.shape[1])]
    elif kind == "permuted":
        # ||W_t - W_s P||^2 differs from -2 <W_t, W_s P> by a constant: an assignment problem on W_t^T W_s.
        student = student[:, match_correlation(teacher.T @ student)]
    elif kind == "rotated":
        # W^T = Q R with R at most K x K: any rotation of the D features may as well act on the R. The residual is
        # taken itself, not ||W_t||^2 + ||W_s||^2 - 2 ||W_t^T W_s||_*, whose cancellation leaves 1e-8 where 0 is due.
        teacher, student = np.linalg.qr(teacher.T)[1], np.linalg.qr(student.T)[1]
        left, _, right = np.linalg.svd(teacher @ student.T)
        student = left @ right @ student
    difference = teacher - student
    return float(np.linalg.norm(difference - difference.mean(0) if kind == "centred" else difference))


def classifier_cosine(teacher_weight: Array, student_weight: Array) -> float:
    """Cosine similarity of two classifiers (K x D each) as flat vectors; nan when either is zero. Paper, A.1."""
    teacher, student = check_pair(teacher_weight, student_weight)
    norms = float(np.linalg.norm(teacher) * np.linalg.norm(student))
    return float(np.vdot(teacher, student)) / norms if norms > 0 else np.nan


class FeatureSimilarity(NamedTuple):
    """Mean cosine of two networks' features of the same images, and of images paired at random (the floor)."""

    raw: float
    shuffled: float
    centred: float
    centred_shuffled: float


class NeuralCollapse(NamedTuple):
    """NC1 within-class spread, NC2 the classifier's distance from a simplex, NC3 its distance from self-duality."""

    nc1: float
    nc2: float
    nc3: float


def match_features(teacher_features: Array, student_features: Array) -> Permutation:
    """Relabelling p of the student's features that lines them up best with the teacher's.

    Both N x D, same images row by row. Hungarian assignment on the D x D Pearson correlations; a constant feature
    (dead unit) has correlation 0 with everything. Raises ValueError for unequal N or D.
    Source: Li et al. 2016; Ainsworth et al. 2023.
    """
    teacher, student = _features(teacher_features, student_features)
    _equal_width(teacher.shape[1], student.shape[1])
    return match_correlation((_standardised(teacher).T @ _standardised(student)).cpu().numpy())


def match_correlation(correlation: NDArray[np.floating]) -> Permutation:
    """Relabelling p that maximises the sum of correlation[i, p[i]]; D x D, teacher in rows, student in columns."""
    return np.asarray(linear_sum_assignment(correlation, maximize=True)[1], dtype=np.int64)


def linear_cka(x: Array, y: Array) -> float:
    """Linear centred kernel alignment of two feature spaces, in [0, 1]; nan when either is constant.

    x: N x D, y: N x E, same images; D and E may differ. Blind to rotation, relabelling and one common scale. Biased
    upwards unless N is much larger than D and E. Source: Kornblith et al. 2019, eq. 5.
    """
    left, right = (a - a.mean(0) for a in _features(x, y))
    norm = torch.linalg.matrix_norm
    return float(norm(left.T @ right) ** 2 / norm(left.T @ left) / norm(right.T @ right))


def feature_similarity(
    teacher_features: Array, student_features: Array, shuffle: torch.Tensor | Permutation
) -> FeatureSimilarity:
    """Mean cosine similarity of penultimate features (paper, Fig. 5), raw and centred, beside shuffled pairs.

    Both N x D, same images; ``shuffle``: length-N permutation that pairs teacher image i with student image
    shuffle[i]. Raw features are non-negative, so that even unrelated pairs score high: read it against ``shuffled``,
    and centred (each network's mean feature subtracted). A zero vector has cosine 0. ValueError for unequal N or D.
    """
    teacher, student = _features(teacher_features, student_features)
    _equal_width(teacher.shape[1], student.shape[1])
    index = torch.as_tensor(shuffle, device=student.device)
    centred = _mean_cosines(teacher - teacher.mean(0), student - student.mean(0), index)
    return FeatureSimilarity(*_mean_cosines(teacher, student, index), *centred)


def neural_collapse(features: Array, labels: Array | NDArray[np.integer], weight: Array) -> NeuralCollapse:
    """Papyan, Han and Donoho's neural collapse as Zhu et al. measure it.

    At complete collapse NC1 is 0, and so are NC2 and NC3 where D >= K - 1: fewer features have no room for a simplex.

    features: N x D, labels: N integers in 0..K-1, weight: K x D, K >= 2. With H the class means minus the global
    mean (D x K) and E = (I - 11^T/K) / sqrt(K-1):
    NC1 = tr(S_W S_B^+) / K, NC2 = || WW^T/||WW^T|| - E ||, NC3 = || WH/||WH|| - E ||.
    nan where undefined: NC1 and NC3 when a class has no image. Source: Zhu et al. 2021, eq. 5-7.
    """
    rows, classifier = _double(features), _double(weight)
    target = torch.as_tensor(labels, device=rows.device).long()
    count, width = classifier.shape
    if count < 2:
        raise ValueError(f"weight has {count} class; neural collapse compares classes, so give at least 2.")
    per_class = torch.bincount(target, minlength=count).to(rows)[:, None]
    means = rows.new_zeros(count, width).index_add_(0, target, rows) / per_class
    centred = means - rows.mean(0)
    nc2 = simplex_gap(classifier)
    if not bool((per_class > 0).all()):
        return NeuralCollapse(np.nan, nc2, np.nan)
    nc1 = _within_to_between(rows - means[target], centred)
    return NeuralCollapse(nc1, nc2, _simplex_gap(classifier @ centred.T))


def simplex_gap(weight: Array) -> float:
    """NC2 of a classifier K x D: how far its Gram matrix, at norm 1, is from that of a simplex, E above."""
    classifier = _double(weight)
    return _simplex_gap(classifier @ classifier.T)


def _within_to_between(deviations: torch.Tensor, centred: torch.Tensor) -> float:
    """tr(S_W S_B^+)/K without a D x D matrix: H = U s V^T gives S_B^+ = K V s^-2 V^T."""
    _, singular, basis = torch.linalg.svd(centred, full_matrices=False)
    # The last singular value is rounding: the centred class means are linearly dependent.
    kept = singular > singular[0] * max(centred.shape) * torch.finfo(centred.dtype).eps
    projected = deviations @ basis[kept].T / singular[kept]
    return float(projected.square().sum() / len(deviations)) if bool(kept.any()) else float("nan")


def _simplex_gap(matrix: torch.Tensor) -> float:
    count = len(matrix)
    simplex = (torch.eye(count).to(matrix) - 1 / count) / (count - 1) ** 0.5
    return float(torch.linalg.matrix_norm(matrix / torch.linalg.matrix_norm(matrix) - simplex))


def _mean_cosines(teacher: torch.Tensor, student: torch.Tensor, shuffle: torch.Tensor) -> tuple[float, float]:
    tiny = torch.finfo(teacher.dtype).tiny ** 0.5  # a zero vector then has cosine 0, not nan
    left, right = (torch.linalg.vector_norm(a, dim=1).clamp_min(tiny) for a in (teacher, student))
    same = torch.linalg.vecdot(teacher, student) / left / right
    other = torch.linalg.vecdot(teacher, student[shuffle]) / left / right[shuffle]
    return float(same.mean()), float(other.mean())


def _standardised(features: torch.Tensor) -> torch.Tensor:
    """Columns centred and of norm 1; constant ones 0 (constant: spread no larger than rounding of the mean)."""
    mean = features.mean(0)
    centred = features - mean
    norm = torch.linalg.vector_norm(centred, dim=0)
    rounding = 16 * torch.finfo(features.dtype).eps * mean.abs() * len(features) ** 0.5
    return torch.where(norm > rounding, centred / norm, 0.0)


def check_pair(teacher_weight: Array, student_weight: Array) -> tuple[Matrix, Matrix]:
    """Two classifiers as float64; ValueError where no distance between them exists."""
    teacher, student = _numpy(teacher_weight), _numpy(student_weight)
    for name, matrix in (("teacher_weight", teacher), ("student_weight", student)):
        if matrix.ndim != 2:
            raise ValueError(f"{name} has shape {matrix.shape}; it must be K classes x D features.")
        if not np.isfinite(matrix).all():
            raise ValueError(f"{name} holds values that are not finite; no distance to it exists.")
    _equal_width(teacher.shape[1], student.shape[1])
    if len(teacher) != len(student):
        counts = f"teacher has {len(teacher)} classes, student {len(student)}"
        raise ValueError(f"{counts}; mu compares class by class: train both on the same data set.")
    return teacher, student


def _features(teacher: Array, student: Array) -> tuple[torch.Tensor, torch.Tensor]:
    left, right = (torch.as_tensor(a).detach() for a in (teacher, student))
    if left.ndim != 2 or right.ndim != 2 or len(left) != len(right):
        shapes = f"{tuple(left.shape)} and {tuple(right.shape)}"
        raise ValueError(f"features have shapes {shapes}; both must be N x D over the same N images.")
    exact = torch.promote_types(torch.promote_types(left.dtype, right.dtype), torch.float32)  # never half precision
    return left.to(exact), right.to(left.device, exact)


def _equal_width(teacher: int, student: int) -> None:
    if teacher != student:
        widths = f"teacher has {teacher} features, student {student}"
        raise ValueError(f"{widths}; mu compares them one by one and needs equal widths: choose a pair of equal width.")


def _permutation(kind: str, order: Array | Permutation | None, width: int) -> Permutation:
    if order is None:
        raise ValueError(f"distance {kind!r} needs permutation: match_features finds one.")
    p = np.asarray(order.cpu() if isinstance(order, torch.Tensor) else order)
    if p.shape != (width,) or not np.array_equal(np.sort(p), np.arange(width)):
        raise ValueError(f"permutation of shape {p.shape} is not one of 0..{width - 1}; match_features returns one.")
    return p.astype(np.int64)


def _scale(name: str, scale: Array | None, width: int) -> Matrix:
    if scale is None:
        raise ValueError(f"distance 'scaled' needs {name}: give each feature's standard deviation.")
    values = _numpy(scale)
    if values.shape != (width,) or not np.isfinite(values).all() or (values < 0).any():
        raise ValueError(f"{name} of shape {values.shape} must hold {width} finite numbers >= 0, one a feature.")
    return values


def _numpy(array: Array) -> Matrix:
    return np.asarray(array.detach().cpu().double() if isinstance(array, torch.Tensor) else array, dtype=np.float64)


def _double(array: Array) -> torch.Tensor:
    """float64 on the array's own device, or on the CPU where the device has none (MPS)."""
    tensor = torch.as_tensor(array).detach()
    return (tensor.cpu() if tensor.device.type == "mps" else tensor).double()
