"""Separation measures against loops over images; maps that can be compared."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist, pdist

from kdnb.analysis import separation


def clusters(seed: int, spread: float, classes: int = 4, count: int = 120, width: int = 8) -> tuple:
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    return 10 * rng.normal(size=(classes, width))[labels] + spread * rng.normal(size=(count, width)), labels


def silhouette_by_hand(x: np.ndarray, y: np.ndarray) -> float:
    """Rousseeuw 1987, image by image: (b - a) / max(a, b), and 0 in a class of one."""
    widths = []
    for i, distances in enumerate(cdist(x, x)):
        own = (y == y[i]) & (np.arange(len(x)) != i)
        a, b = distances[own].mean() if own.any() else np.nan, min(distances[y == k].mean() for k in {*y} - {y[i]})
        widths.append((b - a) / max(a, b) if own.any() else 0.0)
    return float(np.mean(widths))


def test_planted_clusters_are_separated_and_noise_is_not() -> None:
    tight = separation.measures(*clusters(0, 0.1))
    assert tight.knn_accuracy == 1 and tight.silhouette > 0.95 and tight.ratio > 20
    noise = separation.measures(np.random.default_rng(1).normal(size=(600, 8)), np.arange(600) % 4)
    assert noise.knn_accuracy < 0.35 and abs(noise.silhouette) < 0.02


@pytest.mark.parametrize("spread", [3.0, 10.0, 25.0])
def test_measures_are_the_loops_over_images_and_classes(spread: float) -> None:
    x, y = clusters(2, spread)
    means = np.array([x[y == k].mean(0) for k in range(4)])
    measured = separation.measures(x, y)
    assert measured.within == pytest.approx(np.mean([np.linalg.norm(f - means[k]) for f, k in zip(x, y, strict=True)]))
    assert measured.between == pytest.approx(pdist(means).mean())
    assert measured.ratio == pytest.approx(measured.between / measured.within)
    assert measured.class_similarity == pytest.approx(1 - pdist(means, "cosine").mean())
    assert measured.norm == pytest.approx(np.linalg.norm(x, axis=1).mean())
    assert measured.silhouette == pytest.approx(silhouette_by_hand(x, y), abs=1e-9)
    assert vars(separation.class_distances(x, y)).items() <= vars(measured).items()


@pytest.mark.parametrize("spread", [10.0, 25.0])
def test_leave_one_out_accuracy_is_the_vote_of_all_other_images(spread: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(separation, "NEIGHBOURS", 9)
    x, y = clusters(3, spread)
    y = y % 2  # two classes and an odd k: no ties
    order = np.argsort(cdist(x, x) + np.diag(np.full(len(x), np.inf)), axis=1)[:, :9]
    right = [np.bincount(y[near]).argmax() == label for near, label in zip(order, y, strict=True)]
    assert separation.measures(x, y).knn_accuracy == np.mean(right) < 1


def test_a_tied_vote_goes_to_the_nearer_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(separation, "NEIGHBOURS", 2)
    x = np.array([[0.0], [1.0], [-3.0], [50.0], [52.0], [53.0]])
    y = np.array([1, 1, 0, 0, 0, 0])  # image 0: one vote each among two neighbours, and class 1 is nearer
    expected = []
    for i in range(len(x)):
        order = [j for j in np.argsort(np.abs(x[:, 0] - x[i, 0]), kind="stable") if j != i][:2]
        votes = [y[j] for j in order]
        expected.append((votes[0] if votes[0] != votes[1] else votes[1]) == y[i])
    assert separation.measures(x, y).knn_accuracy == np.mean(expected)


def test_chunks_labels_and_tensor_types_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = clusters(4, 12.0)
    whole = separation.measures(x, y)
    monkeypatch.setattr(separation, "_MEGABYTES", 0.001)
    pieces = separation.measures(torch.tensor(x), torch.tensor(y, dtype=torch.int16) * 10 + 3)
    assert vars(pieces) == pytest.approx(vars(whole), rel=1e-9)


def test_ratio_and_similarity_are_free_of_scale() -> None:
    x, y = clusters(5, 6.0)
    one, many = separation.measures(x, y), separation.measures(1000 * x, y)
    for name in ("knn_accuracy", "silhouette", "ratio", "class_similarity"):
        assert getattr(many, name) == pytest.approx(getattr(one, name), rel=1e-9)
    assert many.between / many.norm == pytest.approx(one.between / one.norm, rel=1e-9)


def test_collapsed_classes_and_classes_of_one_image_are_no_accident() -> None:
    x, y = clusters(6, 0.0)
    assert separation.measures(x, y).ratio > 1e12 and separation.measures(x, y).silhouette == pytest.approx(1)
    x, y = np.random.default_rng(0).normal(size=(9, 3)), np.array([0, 0, 0, 0, 1, 1, 1, 1, 2])
    assert separation.measures(x, y).silhouette == pytest.approx(silhouette_by_hand(x, y), abs=1e-9)


def test_measures_refuse_what_has_no_classes_to_separate() -> None:
    with pytest.raises(ValueError, match="1 classes.*at least 2"):
        separation.measures(np.ones((5, 2)), np.zeros(5))
    with pytest.raises(ValueError, match="4 labels"):
        separation.measures(np.ones((5, 2)), np.arange(4))


@pytest.fixture(scope="module")
def networks() -> dict[str, np.ndarray]:
    teacher, _ = clusters(7, 2.0)
    turned = teacher @ np.linalg.qr(np.random.default_rng(1).normal(size=(8, 8)))[0]
    return {"student": turned, "teacher": teacher, "other": clusters(8, 2.0, width=5)[0]}


@pytest.fixture(scope="module")
def maps(networks: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return separation.tsne_maps(networks, "teacher", perplexity=20)


def test_maps_keep_names_and_order_and_repeat_for_a_seed(networks: dict, maps: dict) -> None:
    assert list(maps) == list(networks) and all(m.shape == (120, 2) for m in maps.values())
    again = separation.tsne_maps(networks, "teacher", perplexity=20)
    assert all(np.array_equal(maps[name], again[name]) for name in maps)


def test_maps_show_the_planted_clusters(maps: dict) -> None:
    labels = np.arange(120) % 4
    assert all(separation.measures(m, labels).knn_accuracy == 1 for m in maps.values())


def test_a_rotated_copy_of_the_teacher_gets_the_teachers_map(maps: dict) -> None:
    """t-SNE sees distances only, and the common start fixes the rest: images lie where the teacher's lie."""
    apart = np.linalg.norm(maps["student"] - maps["teacher"], axis=1)
    assert np.median(apart) < 0.15 * np.median(pdist(maps["teacher"]))


def test_equal_features_give_equal_maps(networks: dict) -> None:
    same = separation.tsne_maps({"teacher": networks["teacher"], "copy": networks["teacher"]}, "teacher", perplexity=20)
    assert np.allclose(same["copy"], same["teacher"], atol=1e-9)


def test_alignment_turns_mirrors_and_shifts_but_never_stretches() -> None:
    rng = np.random.default_rng(2)
    reference = rng.normal(size=(50, 2))
    mirrored = reference @ np.array([[0.6, 0.8], [0.8, -0.6]]) + [5.0, -2.0]
    back = separation.aligned(mirrored, reference)
    assert np.allclose(back, reference - reference.mean(0), atol=1e-12)
    other = rng.normal(size=(50, 2)) * [3, 1]
    moved = separation.aligned(other, reference)
    assert np.allclose(cdist(moved, moved), cdist(other, other), atol=1e-12)
    before, after = (np.linalg.norm(m - m.mean(0) - reference + reference.mean(0)) for m in (other, moved))
    assert after <= before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (({"a": np.ones((5, 2))}, "b"), ["'b'", "known: a"]),
        (({"a": np.ones((50, 2)), "b": np.ones((49, 2))}, "a"), ["50 images", "'b': 49"]),
        (({"a": np.ones((20, 2))}, "a", 30), ["perplexity is 30", "20"]),
    ],
)
def test_maps_refuse(arguments: tuple, words: list[str]) -> None:
    with pytest.raises(ValueError) as refusal:
        separation.tsne_maps(*arguments)
    assert all(word in str(refusal.value) for word in words)


def test_class_gaps_are_distances_of_class_means() -> None:
    x, y = clusters(9, 5.0)
    means = np.array([x[y == k].mean(0) for k in range(4)])
    assert np.allclose(separation.class_gaps(x, y), pdist(means)) and np.allclose(separation.gaps(means), pdist(means))


def test_nearest_others_are_those_of_a_sorted_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(separation, "_MEGABYTES", 0.001)
    x = np.random.default_rng(3).normal(size=(40, 3))
    order = np.argsort(cdist(x, x) + np.diag(np.full(40, np.inf)), axis=1)
    assert np.array_equal(separation.nearest(x, 5), order[:, :5])
    with pytest.raises(ValueError, match="count is 40; it must be a number of neighbours from 1 to 39"):
        separation.nearest(x, 40)


def test_shared_neighbours_are_a_share_of_the_nearest() -> None:
    rng = np.random.default_rng(4)
    one, other = (np.array([rng.choice(50, 6, replace=False) for _ in range(20)]) for _ in range(2))
    pairs = [(set(a), set(b)) for a, b in zip(one, other, strict=True)]
    assert separation.shared(one, other) == pytest.approx(np.mean([len(a & b) / 6 for a, b in pairs]))
    assert separation.shared(one, one[:, ::-1]) == 1 and separation.shared(one, one + 100) == 0


def test_the_atlas_around_a_map_alone_keeps_to_it(networks: dict) -> None:
    """Of a published teacher there is no more than its map."""
    whole = separation.Atlas.of(networks["teacher"], 20)
    alone = separation.Atlas.around(whole.reference, 20)
    for name in ("teacher", "student"):
        one, other = whole.map(networks[name]), alone.map(networks[name])
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.95


def test_only_a_random_start_has_a_use_for_a_seed(networks: dict) -> None:
    """What the chapter on geometry says of maps: started from the teacher's they are the same for every seed."""
    first, again = (separation.Atlas.of(networks["teacher"], 20, seed) for seed in (0, 1))
    assert np.array_equal(first.map(networks["other"]), again.map(networks["other"]))
    here, there = (first.map(networks["other"], chance) for chance in (0, 1))
    assert np.linalg.norm(here - there) > 0.1 * np.linalg.norm(here)
