"""The mismatched-pair null beside its theory: one schedule, unrelated noise, unrelated walks, and a real tie."""

import numpy as np
import pytest

from kdnb.analysis import stats

EPOCHS = np.arange(1, 241)


def runs_of(seed: int, runs: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    mus, losses = np.random.default_rng(seed).normal(size=(2, runs, n))
    return mus, losses


def test_under_one_schedule_every_pair_has_the_r_of_signal_and_noise() -> None:
    """mu_i = a s + noise, loss_j = b s + noise: r = ab v / sqrt((a^2 v + p)(b^2 v + q)), whoever is paired."""
    trend = np.exp(-(EPOCHS - 1) / 60) + 0.5 * (EPOCHS <= 150) + 0.2 * (EPOCHS <= 180)
    noise_mu, noise_loss = runs_of(1, 8, 240)
    null = stats.mismatched_null(-2 * trend + 0.6 * noise_mu, 3 * trend + 1.5 * noise_loss)
    v = trend.var()
    theory = -6 * v / np.sqrt((4 * v + 0.36) * (9 * v + 2.25))
    assert -0.9 < theory < -0.5
    assert null.matched.mean() == pytest.approx(theory, abs=0.05)
    assert null.mismatched.mean() == pytest.approx(theory, abs=0.02)
    assert abs(null.own.mean()) < 0.05


def test_of_unrelated_noise_mismatched_r_spread_around_zero_as_one_over_root_n_less_1() -> None:
    null = stats.mismatched_null(*runs_of(2, 40, 120))
    assert abs(null.mismatched.mean()) < 0.01
    assert null.mismatched.std() == pytest.approx(1 / np.sqrt(119), rel=0.06)


def test_of_unrelated_random_walks_they_spread_five_times_as_wide_and_their_differences_do_not() -> None:
    """Yule's nonsense correlations: the second moment is 0.240522 (Ernst, Shepp and Wyner 2017), whatever n is."""
    walks = [np.cumsum(noise, axis=1) for noise in runs_of(3, 60, 300)]
    null = stats.mismatched_null(*walks)
    assert abs(null.mismatched.mean()) < 0.1
    assert np.sqrt(np.mean(null.mismatched**2)) == pytest.approx(np.sqrt(0.240522), rel=0.1)
    steps = stats.mismatched_null(*(np.diff(walk, axis=1) for walk in walks))
    assert steps.mismatched.std() == pytest.approx(1 / np.sqrt(298), rel=0.06)


def test_a_mu_that_is_tied_to_its_own_loss_stands_out_by_what_ties_it() -> None:
    mus, losses = runs_of(5, 12, 120)
    null = stats.mismatched_null(mus, 0.8 * mus + 0.6 * losses)
    assert null.own.mean() == pytest.approx(0.8, abs=0.06) and null.own.min() > 0.6
    table = np.corrcoef(mus, 0.8 * mus + 0.6 * losses)[:12, 12:]
    rest = (table.sum(1) - np.diag(table)) / 11
    np.testing.assert_allclose(null.own, np.diag(table) - rest, atol=1e-12)
