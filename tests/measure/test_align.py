"""Alignment measures: planted symmetries are recovered, independent references agree, orders always hold."""

import itertools

import numpy as np
import pytest
import torch
from scipy.linalg import orthogonal_procrustes

from kdnb.measure import align

SEEDS = range(8)


def weights(seed: int, classes: int = 7, width: int = 12) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(classes, width)), rng.normal(size=(classes, width)) + 0.3


def rotation(seed: int, width: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(width, width)))[0]


def relu_features(seed: int, count: int = 300, width: int = 12) -> np.ndarray:
    return np.maximum(np.random.default_rng(seed).normal(size=(count, width)) + 0.2, 0)


# ---------------------------------------------------------------------------------------------- classifiers
@pytest.mark.parametrize("seed", SEEDS)
def test_a_planted_permutation_is_recovered_from_weights_and_from_features(seed: int) -> None:
    teacher, _ = weights(seed)
    features = relu_features(seed)
    planted = np.random.default_rng(seed).permutation(12)
    inverse = np.argsort(planted)
    found = align.match_features(features, features[:, planted])
    assert np.array_equal(found, inverse)
    student = teacher[:, planted]
    assert align.classifier_distance(teacher, student, "permuted") == 0
    assert align.classifier_distance(teacher, student, "matched", found) == 0
    assert align.classifier_distance(teacher, student, "raw") > 1


@pytest.mark.parametrize("shape", [(7, 12), (12, 7), (5, 5)])
def test_a_planted_rotation_leaves_no_rotated_distance(shape: tuple[int, int]) -> None:
    teacher, _ = weights(0, *shape)
    student = teacher @ rotation(1, shape[1])
    assert align.classifier_distance(teacher, student, "rotated") < 1e-12
    assert align.classifier_distance(teacher, student, "raw") > 1
    assert align.classifier_distance(teacher, student, "permuted") > 0.5


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shape", [(4, 9), (9, 4), (6, 6)])
def test_each_further_freedom_can_only_lower_the_distance(seed: int, shape: tuple[int, int]) -> None:
    teacher, student = weights(seed, *shape)
    p = np.random.default_rng(seed).permutation(shape[1])
    raw, permuted, rotated = (align.classifier_distance(teacher, student, k) for k in ("raw", "permuted", "rotated"))
    assert raw >= permuted >= rotated > 0
    assert align.classifier_distance(teacher, student, "matched", p) >= permuted


@pytest.mark.parametrize("seed", SEEDS)
def test_permuted_is_the_minimum_over_every_permutation(seed: int) -> None:
    teacher, student = weights(seed, 4, 6)
    least = min(np.linalg.norm(teacher - student[:, list(p)]) for p in itertools.permutations(range(6)))
    assert align.classifier_distance(teacher, student, "permuted") == pytest.approx(least, rel=1e-12)


@pytest.mark.parametrize("shape", [(5, 8), (8, 5)])
@pytest.mark.parametrize("seed", SEEDS)
def test_rotated_is_scipys_procrustes_residual_and_the_bures_distance_of_the_grams(
    seed: int, shape: tuple[int, int]
) -> None:
    teacher, student = weights(seed, *shape)
    q, nuclear = orthogonal_procrustes(student, teacher)
    measured = align.classifier_distance(teacher, student, "rotated")
    assert measured == pytest.approx(np.linalg.norm(teacher - student @ q), rel=1e-10)
    assert measured**2 == pytest.approx((teacher**2).sum() + (student**2).sum() - 2 * nuclear, rel=1e-10)


def test_rotated_survives_rank_deficient_classifiers() -> None:
    teacher, _ = weights(3, 6, 10)
    teacher[5] = teacher[4]
    assert align.classifier_distance(teacher, np.zeros_like(teacher), "rotated") == pytest.approx(
        np.linalg.norm(teacher)
    )
    assert align.classifier_distance(teacher, teacher @ rotation(4, 10), "rotated") < 1e-12


@pytest.mark.parametrize("seed", SEEDS)
def test_centred_is_blind_to_a_vector_added_to_every_class_and_raw_is_not(seed: int) -> None:
    teacher, student = weights(seed)
    shifted = student + 5 * np.random.default_rng(seed + 99).normal(size=12)
    before, after = (align.classifier_distance(teacher, s, "centred") for s in (student, shifted))
    assert after == pytest.approx(before, rel=1e-12)
    reference = np.linalg.norm((teacher - teacher.mean(0)) - (student - student.mean(0)))
    assert before == pytest.approx(reference, rel=1e-12)
    assert abs(align.classifier_distance(teacher, student, "raw") - np.linalg.norm(teacher - shifted)) > 1


@pytest.mark.parametrize("seed", SEEDS)
def test_scaled_is_blind_to_rescaled_and_relabelled_features(seed: int) -> None:
    rng = np.random.default_rng(seed)
    teacher, _ = weights(seed)
    features = relu_features(seed)
    factors, planted = rng.uniform(0.1, 10, size=12), rng.permutation(12)
    student_features = (features * factors)[:, planted]
    student = (teacher / factors)[:, planted]
    assert np.allclose(student_features @ student.T, features @ teacher.T)  # the same function
    p = align.match_features(features, student_features)
    scales = features.std(0), student_features.std(0)
    assert align.classifier_distance(teacher, student, "scaled", p, *scales) < 1e-12
    assert align.classifier_distance(teacher, student, "matched", p) > 1


def test_cosine_ignores_length_and_is_undefined_for_a_classifier_that_shrank_to_nothing() -> None:
    teacher, student = weights(5)
    expected = (teacher * student).sum() / np.sqrt((teacher**2).sum() * (student**2).sum())
    assert align.classifier_cosine(teacher, 3 * student) == pytest.approx(expected, rel=1e-12)
    assert align.classifier_cosine(teacher, -2 * teacher) == pytest.approx(-1)
    assert np.isnan(align.classifier_cosine(teacher, 0 * teacher))


def test_torch_weights_of_any_precision_and_numpy_weights_give_the_same_number() -> None:
    teacher, student = (torch.tensor(w, dtype=torch.float32) for w in weights(6))
    exact, parameter = (teacher.double().numpy(), student.double().numpy()), torch.nn.Parameter(student.clone())
    for kind in ("raw", "centred", "permuted", "rotated"):
        assert align.classifier_distance(teacher, parameter, kind) == align.classifier_distance(*exact, kind)
    assert align.classifier_cosine(teacher, parameter) == align.classifier_cosine(*exact)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.ones((3, 4)), np.ones((3, 5)), "raw"), ["4", "5", "equal width"]),
        ((np.ones((3, 4)), np.ones((2, 4)), "raw"), ["3 classes", "student 2", "same data set"]),
        ((np.ones((3, 4)), np.ones((3, 4)), "rotate"), ["'rotate'", "rotated", "matched"]),
        ((np.ones((3, 4)), np.ones((3, 4)), "matched"), ["'matched'", "permutation", "match_features"]),
        ((np.ones((3, 4)), np.ones((3, 4)), "scaled", np.arange(4)), ["'scaled'", "teacher_scale"]),
        ((np.ones((3, 4)), np.ones((3, 4)), "matched", np.array([0, 1, 1, 2])), ["permutation", "0..3"]),
        ((np.ones((3, 4)), np.full((3, 4), np.nan), "rotated"), ["student_weight", "finite"]),
        ((np.ones(4), np.ones((3, 4)), "raw"), ["teacher_weight", "K classes x D features"]),
        ((np.ones((3, 4)),) * 2 + ("scaled", np.arange(4), np.ones(3), np.ones(4)), ["scale", "4 finite"]),
    ],
)
def test_refusals_name_the_value_the_rule_and_the_way_out(arguments: tuple, words: list[str]) -> None:
    with pytest.raises(ValueError) as refusal:
        align.classifier_distance(*arguments)
    assert all(word in str(refusal.value) for word in words)


# ------------------------------------------------------------------------------------------------- features
@pytest.mark.parametrize("seed", SEEDS)
def test_features_are_matched_to_the_best_total_correlation_of_all_permutations(seed: int) -> None:
    x, y = relu_features(seed, 50, 6), relu_features(seed + 50, 50, 6)
    correlation = np.corrcoef(x.T, y.T)[:6, 6:]
    best = max(itertools.permutations(range(6)), key=lambda p: sum(correlation[i, p[i]] for i in range(6)))
    assert tuple(align.match_features(x, y)) == best == tuple(align.match_correlation(correlation))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dead_features_match_only_what_is_left_over(dtype: torch.dtype) -> None:
    x = torch.tensor(relu_features(2), dtype=dtype)
    x[:, 3] = 0
    x[:, 7] = 0.1  # constant, and no binary fraction: the centred column is rounding noise, not a feature
    assert not align._standardised(x)[:, [3, 7]].any()
    y = x.roll(1, dims=1) * 3
    found = align.match_features(x, y)
    alive = [j for j in range(12) if j not in (3, 7)]
    assert all(found[j] == (j + 1) % 12 for j in alive)
    assert sorted(found) == list(range(12))


def test_features_of_unequal_width_or_count_are_refused() -> None:
    with pytest.raises(ValueError, match="12 features, student 11.*equal width"):
        align.match_features(relu_features(0), relu_features(0)[:, :11])
    with pytest.raises(ValueError, match=r"\(300, 12\) and \(299, 12\).*same N images"):
        align.match_features(relu_features(0), relu_features(0)[:299])


@pytest.mark.parametrize("widths", [(5, 9), (9, 5), (6, 6)])
def test_cka_is_the_normalised_hsic_of_centred_kernels(widths: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(40, widths[0])) + 3, rng.normal(size=(40, widths[1])) - 2
    y[:, :3] += x[:, :3]
    centring = np.eye(40) - 1 / 40
    kernels = [centring @ a @ a.T @ centring for a in (x, y)]

    def hsic(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.trace(a @ b))

    expected = hsic(*kernels) / np.sqrt(hsic(kernels[0], kernels[0]) * hsic(kernels[1], kernels[1]))
    assert align.linear_cka(x, y) == pytest.approx(expected, rel=1e-10)


def test_cka_is_one_after_rotation_scaling_and_shift_and_nan_for_constants() -> None:
    x = relu_features(4)
    assert align.linear_cka(x, 7 * x @ rotation(2, 12) + 5) == pytest.approx(1, abs=1e-10)
    assert align.linear_cka(x, x @ np.diag(np.arange(12.0))) < 0.99
    assert np.isnan(align.linear_cka(x, np.ones_like(x)))


def test_feature_similarity_is_the_loop_over_images() -> None:
    x, y = relu_features(7), relu_features(8)
    shuffle = np.random.default_rng(9).permutation(300)

    def mean_cosine(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.mean([u @ v / np.linalg.norm(u) / np.linalg.norm(v) for u, v in zip(a, b, strict=True)]))

    a, b = x - x.mean(0), y - y.mean(0)
    expected = [mean_cosine(x, y), mean_cosine(x, y[shuffle]), mean_cosine(a, b), mean_cosine(a, b[shuffle])]
    assert np.allclose(align.feature_similarity(x, y, shuffle), expected, rtol=1e-10)


def test_unrelated_non_negative_features_look_alike_until_they_are_centred() -> None:
    """The trap of the paper's Fig. 5: a high raw cosine means nothing by itself."""
    x, y = relu_features(10, 4000, 64), relu_features(11, 4000, 64)
    measured = align.feature_similarity(x, y, np.random.default_rng(0).permutation(4000))
    assert measured.raw > 0.35
    assert measured.raw == pytest.approx(measured.shuffled, abs=0.01)
    assert abs(measured.centred) < 0.01
    same = align.feature_similarity(x, x, np.random.default_rng(0).permutation(4000))
    assert (same.raw, same.centred) == (pytest.approx(1), pytest.approx(1))
    assert same.shuffled < 0.7 and abs(same.centred_shuffled) < 0.01


def test_a_silent_image_has_cosine_zero_not_nan() -> None:
    x = relu_features(1)
    x[0] = 0
    assert align.feature_similarity(x, x, np.arange(300)).raw == pytest.approx(299 / 300)


@pytest.mark.parametrize("case", [(5, 8, 200), (8, 5, 200), (3, 16, 20)])
def test_neural_collapse_is_the_textbook_loop(case: tuple[int, int, int]) -> None:
    classes, width, count = case
    rng = np.random.default_rng(sum(case))
    labels = np.concatenate([np.arange(classes), rng.integers(classes, size=count - classes)])
    features = rng.normal(size=(classes, width))[labels] * 2 + rng.normal(size=(count, width))
    weight = rng.normal(size=(classes, width))
    overall = features.mean(0)
    means = [features[labels == k].mean(0) for k in range(classes)]
    within = sum(np.outer(f - means[y], f - means[y]) for f, y in zip(features, labels, strict=True)) / count
    between = sum(np.outer(m - overall, m - overall) for m in means) / classes
    h = np.stack([m - overall for m in means], axis=1)
    simplex = (np.eye(classes) - np.ones((classes, classes)) / classes) / np.sqrt(classes - 1)

    def gap(m: np.ndarray) -> float:
        return float(np.linalg.norm(m / np.linalg.norm(m) - simplex))

    measured = align.neural_collapse(features, labels, weight)
    assert measured.nc1 == pytest.approx(np.trace(within @ np.linalg.pinv(between, rcond=1e-10)) / classes, rel=1e-8)
    assert measured.nc2 == pytest.approx(gap(weight @ weight.T), rel=1e-10)
    assert measured.nc3 == pytest.approx(gap(weight @ h), rel=1e-10)


def test_neural_collapse_is_zero_at_complete_collapse_and_same_in_float32() -> None:
    simplex = (torch.eye(10) - 0.1) @ torch.tensor(rotation(0, 16)[:10], dtype=torch.float32)
    labels = torch.arange(200) % 10
    measured = align.neural_collapse(4 * simplex[labels] + 1, labels, 3 * simplex)
    assert max(measured) < 1e-6


def test_neural_collapse_without_an_image_of_some_class_is_undefined_not_wrong() -> None:
    weight = weights(1, 4, 12)[0]
    measured = align.neural_collapse(relu_features(0, 30), np.arange(30) % 3, weight)
    assert np.isnan(measured.nc1) and np.isnan(measured.nc3)
    assert measured.nc2 == align.neural_collapse(relu_features(0, 30), np.arange(30) % 4, weight).nc2
    with pytest.raises(ValueError, match="1 class"):
        align.neural_collapse(relu_features(0, 3), np.zeros(3, dtype=int), weight[:1])
