"""Readings of a few numbers alone: maps that are recognised, an order of methods."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats as scipy_stats

from kdnb.analysis import by_method, map_stability, separation
from kdnb.analysis.map_stability import Layout, RandomMap, Redrawn


def layout(seed: int) -> Layout:
    points, classes = np.random.default_rng(seed).normal(size=(40, 2)), np.arange(40) % 5
    return Layout(separation.nearest(points), separation.class_gaps(points, classes))


def test_a_map_is_recognised_where_it_shares_most_with_its_own_network() -> None:
    one, other, third = map(layout, range(3))
    half = Layout(one.neighbours, other.gaps)
    drawn = (("a", one), ("b", other), ("b", one), ("a", half))
    maps = [RandomMap(space.neighbours, space.gaps, name, 5) for name, space in drawn]
    found = map_stability.recognised(Redrawn(maps, {"a": one, "b": other, "c": third}, []))
    assert found == {"neighbours": 3, "classes": 2}


def test_means_that_differ_in_the_last_bit_are_a_tie_in_the_order_of_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    mu, accuracy = np.array([1, 2, 3, 4, 5, 5 + 1e-9]), np.array([0.1, 0.3, 0.2, 0.5, 0.6, 0.4])
    lasts = [{"mu_raw": m, "test_accuracy": a} for m, a in zip(mu, accuracy, strict=True)]
    runs = {str(k): [SimpleNamespace(history=last, last=last.get)] for k, last in enumerate(lasts)}
    monkeypatch.setattr(by_method, "groups", lambda _: runs)
    found = by_method.order(SimpleNamespace(), "mu_raw")
    tied, apart = (scipy_stats.spearmanr(x, accuracy).statistic for x in (mu.round(4), mu))
    assert found.rho == pytest.approx(tied) and tied != pytest.approx(apart)
