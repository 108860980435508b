"""A mu with its own run's loss and with others', beside theory: one schedule, unrelated noise, walks, a real tie."""

from collections.abc import Sequence
from itertools import permutations
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from kdnb.analysis import mismatched_pairs

EPOCHS = np.arange(1, 241)
DROPS = (150, 180, 210)


class Null(NamedTuple):
    """r of mu and loss of the same run (R), of different runs (R (R-1)), and by how much the one exceeds the other."""

    matched: np.ndarray
    mismatched: np.ndarray
    own: np.ndarray


def null_of(mus: Sequence[np.ndarray], losses: Sequence[np.ndarray]) -> Null:
    """The pairs of runs with these curves, which differ in the seed alone."""
    tables = [pd.DataFrame({"mu_raw": mu, "loss": loss}) for mu, loss in zip(mus, losses, strict=True)]
    runs = [
        SimpleNamespace(spec=SimpleNamespace(init_seed=seed), history=table, after=lambda cut, table=table: table[cut:])
        for seed, table in enumerate(tables)
    ]
    found = mismatched_pairs.pairs(SimpleNamespace(warm_up=0, by_seeds={"KD": runs}))
    r = {kind: np.array(values) for kind, values in found.groupby("kind")["r"]}
    return Null(r["same run"], r["other seed"], np.array(mismatched_pairs.own(found)["KD"].values))


def scheduled(seed: int, noise: float = 0.02) -> np.ndarray:
    """A curve that knows nothing but the schedule: it relaxes to a new level after each drop."""
    rng = np.random.default_rng(seed)
    levels, rates = np.sort(rng.uniform(0.2, 2, size=4))[::-1], rng.uniform(2, 8, size=4)
    phase = np.searchsorted(DROPS, EPOCHS)
    start = np.array([0, *DROPS])[phase]
    before = np.concatenate([[3.0], levels[:-1]])[phase]
    curve = levels[phase] + (before - levels[phase]) * np.exp(-(EPOCHS - start) / rates[phase])
    return curve + noise * rng.normal(size=240)


def runs_of(seed: int, runs: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    mus, losses = np.random.default_rng(seed).normal(size=(2, runs, n))
    return mus, losses


def test_under_one_schedule_every_pair_has_the_r_of_signal_and_noise() -> None:
    """mu_i = a s + noise, loss_j = b s + noise: r = ab v / sqrt((a^2 v + p)(b^2 v + q)), whoever is paired."""
    trend = np.exp(-(EPOCHS - 1) / 60) + 0.5 * (EPOCHS <= 150) + 0.2 * (EPOCHS <= 180)
    noise_mu, noise_loss = runs_of(1, 8, 240)
    null = null_of(-2 * trend + 0.6 * noise_mu, 3 * trend + 1.5 * noise_loss)
    v = trend.var()
    theory = -6 * v / np.sqrt((4 * v + 0.36) * (9 * v + 2.25))
    assert -0.9 < theory < -0.5
    assert null.matched.mean() == pytest.approx(theory, abs=0.05)
    assert null.mismatched.mean() == pytest.approx(theory, abs=0.02)
    assert abs(null.own.mean()) < 0.05


def test_of_unrelated_noise_mismatched_r_spread_around_zero_as_one_over_root_n_less_1() -> None:
    null = null_of(*runs_of(2, 40, 120))
    assert abs(null.mismatched.mean()) < 0.01
    assert null.mismatched.std() == pytest.approx(1 / np.sqrt(119), rel=0.06)


def test_of_unrelated_random_walks_they_spread_five_times_as_wide_and_their_differences_do_not() -> None:
    """Yule's nonsense correlations: the second moment is 0.240522 (Ernst, Shepp and Wyner 2017), whatever n is."""
    walks = [np.cumsum(noise, axis=1) for noise in runs_of(3, 60, 300)]
    null = null_of(*walks)
    assert abs(null.mismatched.mean()) < 0.1
    assert np.sqrt(np.mean(null.mismatched**2)) == pytest.approx(np.sqrt(0.240522), rel=0.1)
    steps = null_of(*(np.diff(walk, axis=1) for walk in walks))
    assert steps.mismatched.std() == pytest.approx(1 / np.sqrt(298), rel=0.06)


def test_a_mu_that_is_tied_to_its_own_loss_stands_out_by_what_ties_it() -> None:
    mus, losses = runs_of(5, 12, 120)
    null = null_of(mus, 0.8 * mus + 0.6 * losses)
    assert null.own.mean() == pytest.approx(0.8, abs=0.06) and null.own.min() > 0.6
    table = np.corrcoef(mus, 0.8 * mus + 0.6 * losses)[:12, 12:]
    others = (table.sum() - np.trace(table)) / (12 * 11)
    assert null.own.mean() == pytest.approx(np.trace(table) / 12 - others)


def test_runs_that_share_only_a_schedule_correlate_as_well_mismatched_as_matched() -> None:
    mus, losses = [scheduled(s)[120:] for s in range(4)], [scheduled(s + 100)[120:] for s in range(4)]
    null = null_of(mus, losses)
    assert null.matched.shape == (4,) and null.mismatched.shape == (12,)
    assert null.matched.min() > 0.8
    assert null.mismatched.mean() == pytest.approx(null.matched.mean(), abs=0.08)


def test_the_pairs_are_those_of_each_mu_with_every_other_loss_in_their_order() -> None:
    mus, losses = runs_of(6, 3, 120)
    table = np.corrcoef(mus, losses)[:3, 3:]
    assert null_of(mus, losses).matched == pytest.approx(np.diag(table))
    assert null_of(mus, losses).mismatched == pytest.approx(table[~np.eye(3, dtype=bool)])


# ----------------------------------------------------------------------------------------- the interval of the pairing
def shared(rng: np.random.Generator, n: int, d: float) -> np.ndarray:
    """r of mu i and loss j: how well each goes with any, ten times the noise, and d where both are of one run."""
    rows, columns = rng.normal(0, 0.1, size=(2, n))
    return rows[:, None] + columns + d * np.eye(n) + rng.normal(0, 0.01, size=(n, n))


def share_off_zero(n: int, d: float, times: int = 1000) -> float:
    rng = np.random.default_rng(7)
    found = [mismatched_pairs.pairing(pd.DataFrame(shared(rng, n, d))) for _ in range(times)]
    return float(np.mean([one.side != 0 for one in found]))


@pytest.mark.parametrize(("n", "power"), [(3, 0.4), (5, 0.9)])
def test_what_a_run_s_curves_share_with_any_other_s_is_no_noise_of_its_pairing(n: int, power: float) -> None:
    """One in twenty leaves out zero where nothing is; two noise sds are seen, where rows alone hid four of them."""
    assert share_off_zero(n, 0) == pytest.approx(0.05, abs=0.02)
    assert share_off_zero(n, 0.02) > power


@pytest.mark.parametrize("n", [3, 4, 6])
def test_the_interval_is_that_of_least_squares_with_a_row_a_column_and_a_pairing(n: int) -> None:
    r = shared(np.random.default_rng(n), n, 0.03)
    cells = [(i, j) for i in range(n) for j in range(n)]
    terms = np.array([[*np.eye(n)[i], *np.eye(n)[j][1:], i == j] for i, j in cells], float)
    fit, (left,), _, _ = np.linalg.lstsq(terms, r.ravel())
    freedom = n * n - terms.shape[1]
    assert freedom == (n - 1) ** 2 - 1
    error = np.sqrt(left / freedom * np.linalg.inv(terms.T @ terms)[-1, -1])
    found = mismatched_pairs.pairing(pd.DataFrame(r))
    assert (found.mean, *found.values) == pytest.approx(
        (fit[-1], *(fit[-1] + np.diag(r - (terms @ fit).reshape(n, n))))
    )
    assert (found.low, found.high) == pytest.approx(scipy_stats.t.interval(0.95, freedom, fit[-1], error))


def test_it_finds_what_the_permutation_test_of_the_pairing_finds() -> None:
    """Losses dealt to other mus: the share of 120 pairings that are as far from their mean as the true one."""
    rng, both = np.random.default_rng(11), []
    for _ in range(200):
        r = shared(rng, 5, rng.choice([0, 0.01, 0.02]))
        dealt = np.array([sum(r[i, j] for i, j in enumerate(order)) for order in permutations(range(5))])
        far = np.abs(dealt - dealt.mean())
        found = mismatched_pairs.pairing(pd.DataFrame(r))
        both.append((np.mean(far >= far[0] - 1e-12) <= 0.05, found.side != 0))
    by_dealing, by_interval = np.array(both).T
    assert 0.3 < by_dealing.mean() < 0.7
    assert np.mean(by_dealing == by_interval) > 0.9


def test_runs_that_pair_with_none_are_left_out_and_two_have_no_interval() -> None:
    r = pd.DataFrame(shared(np.random.default_rng(3), 4, 0.1))
    three = mismatched_pairs.pairing(r.loc[:2, :2])
    longer, still = r.copy(), r.copy()
    longer.loc[3, :2] = longer.loc[:2, 3] = np.nan
    assert mismatched_pairs.pairing(longer) == three
    still.loc[3] = np.nan  # a constant mu
    assert mismatched_pairs.pairing(still) == mismatched_pairs.pairing(still.drop(index=3)) == three
    two = mismatched_pairs.pairing(r.loc[:1, :1])
    assert (len(two.values), two.side) == (2, 0) and np.isnan([two.low, two.high]).all() and np.isfinite(two.mean)
    assert [mismatched_pairs.pairing(r.iloc[:n, :n]).values for n in (0, 1)] == [[], []]
