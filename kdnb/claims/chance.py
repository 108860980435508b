"""What the judge's words are worth: how often each is said where there is nothing to find.

By simulation, with the judge's own rules: seeds are drawn that know nothing of a claim, and judged like a study's.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache

import numpy as np

from kdnb.claims import paper
from kdnb.claims.book import within
from kdnb.claims.judge import Numbers, Parts, Word, by_count, by_interval
from kdnb.claims.paper_numbers import best_of, peak_of
from kdnb.claims.thresholds import ACCURACY_MARGIN

SEEDS = (1, 3, 5)  # of a study
DRAWS, STUDIES = 2000, 1000  # seeds that are drawn, studies that are judged: a share is right to two per cent or so
OFTEN = 0.9  # of its seeds bear out each part of a claim that is true
SPREAD = 0.5  # of a bound is the standard deviation between seeds
TEMPERATURES = range(1, 11)
Generator = np.random.Generator
Shares = Mapping[Word, float]


def _of_each(values: np.ndarray) -> dict[float, float]:
    return dict(zip(TEMPERATURES, values, strict=True))


# What is drawn of a claim of the paper, and its numbers in one seed.
NOTHING: Mapping[str, tuple[str, Callable[[Generator], Numbers]]] = {
    "C1": ("r is drawn from −1 to 1", lambda rng: {"r": rng.uniform(-1, 1)}),
    "C4": (
        f"r is drawn from −1 to 1 at each of {len(TEMPERATURES)} temperatures",
        lambda rng: peak_of(_of_each(rng.uniform(-1, 1, len(TEMPERATURES)))),
    ),
    "C11": (
        f"{len(TEMPERATURES)} temperatures differ by {100 * ACCURACY_MARGIN:g} points of noise alone",
        lambda rng: best_of(_of_each(rng.normal(0, ACCURACY_MARGIN, len(TEMPERATURES)))),
    ),
}


@cache
def nothing(claim: str) -> dict[int, Shares]:
    """By the number of seeds, how often each of the paper's words is said of ``claim`` where NOTHING is there."""
    (parts,) = (one.parts for one in paper.CLAIMS if one.id == claim)
    return _counted(lambda rng: parts(NOTHING[claim][1](rng)))


@cache
def something() -> dict[int, Shares]:
    """The same of a claim whose two parts are true, each borne out OFTEN."""
    return _counted(lambda rng: {"one": rng.uniform() < OFTEN, "other": rng.uniform() < OFTEN})


def _counted(draw: Callable[[Generator], Parts]) -> dict[int, Shares]:
    """Of studies of some of DRAWS seeds; these are drawn once, since their parts take long."""
    rng = np.random.default_rng(0)
    seeds = [draw(rng) for _ in range(DRAWS)]
    return {
        n: _shares([by_count([seeds[k] for k in study]) for study in rng.integers(DRAWS, size=(DRAWS, n))])
        for n in SEEDS
    }


@cache
def equal(n: int) -> Shares:
    """How often each word is said that a difference is within a bound where it is zero, and its ``n`` seeds SPREAD."""
    studies = np.random.default_rng(0).normal(0, SPREAD, (STUDIES, n))
    return _shares([by_interval([_named(within(value, 1)) for value in study]) for study in studies])


@cache
def at_zero(n: int, margins: int) -> Shares:
    """The same of a statement whose ``margins``, each with its own noise, are truly zero: on the edge of holding."""
    studies = np.random.default_rng(0).normal(size=(STUDIES, n, margins))
    return _shares([by_interval([_named(seed) for seed in study]) for study in studies])


def _named(margins: Iterable[float]) -> Parts:
    return {str(place): float(margin) for place, margin in enumerate(margins)}


def _shares(said: Sequence[Word]) -> Shares:
    return {word: count / len(said) for word, count in Counter(said).items()}
