"""Maps of feature spaces to look at, and measures of the same spaces to rely on.

t-SNE can mislead, above all about distances between clusters: so every number here is computed in the feature space
itself, and the maps are only made comparable: same images, every network started from the teacher's map.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import orthogonal_procrustes
from sklearn import config_context
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from kdnb import checks

Map = NDArray[np.float64]
NEIGHBOURS = 10  # of an image, that vote for its class
_MEGABYTES = 64  # of the N x N distances at a time: 10,000 images have 800


@dataclass(frozen=True)
class ClassDistances:
    """Where the classes lie in a feature space; distances Euclidean, in units of the features.

    between           mean distance between two class means
    within            mean distance of an image to its own class mean
    ratio             between / within; free of the features' scale
    class_similarity  mean cosine of two class means ("inter-class similarity")
    norm              mean length of a feature vector, the scale to compare between and within of two networks by
    """

    between: float
    within: float
    ratio: float
    class_similarity: float
    norm: float


@dataclass(frozen=True)
class Separation(ClassDistances):
    """Class distances, and how well the classes keep apart image by image (Euclidean).

    knn_accuracy      share of images whose class their 10 nearest others vote for (leave one out)
    silhouette        mean silhouette: 1 tight and far apart, 0 overlapping
    """

    knn_accuracy: float
    silhouette: float


def measures(features: ArrayLike | torch.Tensor, labels: ArrayLike | torch.Tensor) -> Separation:
    """Separation of the classes in feature space: features N x D, labels N, at least 2 classes.

    A tie among the neighbours' votes goes to the nearer ones. Raises ValueError for fewer than 2 classes, a class for
    each image, or unequal N. Neighbours and silhouette are scikit-learn's.
    """
    x, y = _checked(features, labels)
    count = min(NEIGHBOURS, len(x) - 1)
    near = y[torch.from_numpy(nearest(x, count))]
    # A vote counts 2 count^2, and nearness, 1 to count, only breaks ties: whole numbers, so that a tie is one.
    votes = torch.zeros(len(x), int(y.max()) + 1, dtype=torch.int64)
    votes.scatter_add_(1, near, (2 * count**2 + torch.arange(count, 0, -1)).expand_as(near))
    knn = float((votes.argmax(1) == y).double().mean())
    with config_context(working_memory=_MEGABYTES):
        silhouette = float(silhouette_score(x.numpy(), y.numpy()))
    return Separation(**vars(_distances(x, y)), knn_accuracy=knn, silhouette=silhouette)


def class_distances(features: ArrayLike | torch.Tensor, labels: ArrayLike | torch.Tensor) -> ClassDistances:
    """The part of :func:`measures` that needs no N x N distances: 10,000 images in milliseconds."""
    return _distances(*_checked(features, labels))


def _checked(features: ArrayLike | torch.Tensor, labels: ArrayLike | torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.as_tensor(features).detach().cpu().double()
    names, y = torch.unique(torch.as_tensor(labels).cpu(), return_inverse=True)
    if x.ndim != 2 or len(x) != len(y) or len(names) < 2:
        raise ValueError(
            f"features of shape {tuple(x.shape)} with {len(y)} labels of {len(names)} classes; needed: N x D features, "
            "N labels, at least 2 classes."
        )
    return x, y


def _means(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    sizes = torch.bincount(y)[:, None]
    return torch.zeros(len(sizes), x.shape[1], dtype=x.dtype).index_add_(0, y, x) / sizes, sizes


def _distances(x: torch.Tensor, y: torch.Tensor) -> ClassDistances:
    means, sizes = _means(x, y)
    within = float(torch.linalg.vector_norm(x - means[y], dim=1).mean())
    between = float(torch.pdist(means).mean())
    # Over pairs, like the distances between: with each mean's cosine with itself the figure would hang on K.
    upper = torch.triu_indices(len(sizes), len(sizes), 1)
    unit = torch.nn.functional.normalize(means, dim=1)
    cosine = float((unit @ unit.T)[upper[0], upper[1]].mean())
    norm = float(torch.linalg.vector_norm(x, dim=1).mean())
    return ClassDistances(between, within, between / within if within > 0 else np.inf, cosine, norm)


def class_gaps(points: ArrayLike | torch.Tensor, labels: ArrayLike | torch.Tensor) -> Map:
    """Euclidean distance of each pair of class means, K (K - 1) / 2 in the order of scipy's pdist: N x D, labels N."""
    return gaps(class_means(points, labels))


def class_means(points: ArrayLike | torch.Tensor, labels: ArrayLike | torch.Tensor) -> torch.Tensor:
    """The mean of each class, K x D: N x D, labels N."""
    return _means(*_checked(points, labels))[0]


def gaps(means: ArrayLike | torch.Tensor) -> Map:
    """The same from the class means themselves, K x D."""
    return np.asarray(torch.pdist(torch.as_tensor(means).double()).numpy(), dtype=np.float64)


def nearest(points: ArrayLike | torch.Tensor, count: int = 10) -> NDArray[np.int64]:
    """For each of N points (N x D) the ``count`` nearest others, N x count; ValueError for fewer others than that."""
    x = torch.as_tensor(points).double()
    checks.number("count", count, f"a number of neighbours from 1 to {len(x) - 1}", 1, len(x) - 1)
    # Asked without points of its own, the search leaves each point out of its own neighbours.
    search = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(x.numpy())
    return np.asarray(search.kneighbors(return_distance=False), dtype=np.int64)


def shared(one: NDArray[np.integer], other: NDArray[np.integer]) -> float:
    """The share of two networks' or maps' :func:`nearest` (N x count each) that is in both, mean over images."""
    common = (one[:, :, None] == other[:, None, :]).sum((1, 2))
    return float(np.mean(common / one.shape[1]))


@dataclass(frozen=True)
class Atlas:
    """t-SNE maps of the same N images, comparable as far as t-SNE allows: one network's map, the start of all others.

    start       where every map starts: the reference's first map, shrunk to standard deviation 1e-4, as usual
    reference   the reference's map, N x 2, onto which the others are turned
    """

    start: NDArray[np.float32]
    reference: Map
    perplexity: float
    seed: int

    @classmethod
    def of(cls, features: ArrayLike, perplexity: float = 30.0, seed: int = 0) -> Self:
        """The atlas around a network's ``features`` (N x D), whose first map starts from PCA.

        Raises ValueError for a perplexity that N images cannot have.
        """
        values = np.asarray(features, dtype=np.float32)
        count = len(values)
        checks.number("perplexity", perplexity, f"above 0 and below the number of images, {count}", 0, count - 1)
        start = _shrunk(_tsne(values, "pca", perplexity, seed))
        # The reference is mapped once more, from the start that all others have: equal features then give equal maps.
        return cls(start, _tsne(values, start, perplexity, seed), perplexity, seed)

    @classmethod
    def around(cls, reference: Map, perplexity: float = 30.0, seed: int = 0) -> Self:
        """The atlas around a network's map alone (N x 2), as it was published: it is reference and start in one."""
        return cls(_shrunk(reference), reference, perplexity, seed)

    def map(self, features: ArrayLike, chance: int | None = None) -> Map:
        """The map (N x 2) of another network's ``features`` (N x D', any width): turned or mirrored, never stretched.

        chance: the seed of a random start instead of the reference's map; t-SNE has no other use for a seed.
        1000 iterations (scikit-learn's default; about a second for 450 images) on one thread, the same for a seed.
        """
        values = np.asarray(features, dtype=np.float32)
        start, seed = (self.start, self.seed) if chance is None else ("random", chance)
        return aligned(_tsne(values, start, self.perplexity, seed), self.reference)


def tsne_maps(networks: Mapping[str, ArrayLike], teacher: str, perplexity: float = 30.0) -> dict[str, Map]:
    """One map (N x 2) per network of the same N images, from the :class:`Atlas` around the teacher.

    ``networks``: features N x D by name; widths may differ. Equal features give equal maps.
    Raises ValueError for an unknown teacher, unequal N, or a perplexity that N images cannot have.
    Source: van der Maaten and Hinton 2008; Kobak and Berens 2019 (initialisation).
    """
    checks.choice("teacher", teacher, networks)
    features = {name: np.asarray(values, dtype=np.float32) for name, values in networks.items()}
    count = len(features[teacher])
    if odd := {name: len(values) for name, values in features.items() if len(values) != count}:
        raise ValueError(f"teacher has {count} images, but {odd}; maps are comparable for the same images only.")
    atlas = Atlas.of(features[teacher], perplexity)
    return {name: atlas.reference if name == teacher else atlas.map(x) for name, x in features.items()}


def aligned(found: Map, reference: Map) -> Map:
    """``found`` (N x 2) centred and turned or mirrored onto the centred ``reference``; distances stay as they were."""
    # t-SNE's loss sees distances alone, so that a map and its mirror image are one. Its scale is no part of the fit: a
    # map that is spread out is to look so beside the others.
    centred = found - found.mean(0)
    turn, _ = orthogonal_procrustes(centred, reference - reference.mean(0))
    return np.asarray(centred @ turn, dtype=np.float64)


def _shrunk(points: Map) -> NDArray[np.float32]:
    return np.asarray(points / points[:, 0].std() * 1e-4, dtype=np.float32)


def _tsne(features: NDArray[np.float32], start: str | NDArray[np.float32], perplexity: float, seed: int) -> Map:
    solver = TSNE(perplexity=perplexity, init=start, learning_rate="auto", random_state=seed, n_jobs=1)
    with threadpool_limits(limits=1):  # the gradient's sums depend on the number of threads
        found = solver.fit_transform(features).astype(np.float64)
    return np.asarray(found - found.mean(0))
