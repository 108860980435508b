"""Correlation of curves: closed forms, independent references, and the traps as facts."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from kdnb.analysis import stats

EPOCHS = np.arange(1, 241)
DROPS = (150, 180, 210)


def white(seed: int, rho: float, n: int = 240) -> tuple[np.ndarray, np.ndarray]:
    x, e = np.random.default_rng(seed).normal(size=(2, n))
    return x, rho * x + np.sqrt(1 - rho**2) * e


def test_r_is_scipys_and_needs_three_points() -> None:
    x, y = white(0, 0.4)
    assert stats.pearson(x, y) == pytest.approx(scipy_stats.pearsonr(x, y).statistic, rel=1e-12)
    assert 1 - 1e-12 < stats.pearson(x, 3 * x + 1) <= 1  # rounding may go beyond
    assert np.isnan(stats.pearson(x[:2], y[:2]))


@pytest.mark.parametrize("memory", [0.0, 0.6, 0.9])
def test_the_effective_size_is_what_makes_r_of_unrelated_series_vary_as_it_does(memory: float) -> None:
    """r of n independent pairs has the variance 1 / (n - 1); of series that remember themselves a larger one."""
    rng, n = np.random.default_rng(0), 2000
    series = np.zeros((2, 500, n + 200))
    for t in range(1, n + 200):
        series[..., t] = memory * series[..., t - 1] + rng.normal(size=(2, 500))
    pairs = list(zip(*series[..., 200:], strict=True))
    variance = np.var([np.corrcoef(x, y)[0, 1] for x, y in pairs])
    size = np.mean([stats.effective_size(x, y) for x, y in pairs])
    assert size == pytest.approx(1 + 1 / variance, rel=0.2)
    assert size == pytest.approx(n * (1 - memory**2) / (1 + memory**2), rel=0.05)


def test_a_constant_series_has_no_effective_size() -> None:
    assert np.isnan(stats.effective_size(np.ones(9), np.arange(9.0))) and np.isnan(stats.effective_size(*np.eye(2)))


def test_differences_across_a_drop_are_left_out() -> None:
    x, y = white(2, 0.4)
    x, y = x + 100 * (EPOCHS > 150), y + 100 * (EPOCHS > 150)
    kept = [i for i in range(239) if i + 1 != 150]  # 0-based i is epoch i + 1
    expected = [[s[i + 1] - s[i] for i in kept] for s in (x, y)]
    np.testing.assert_array_equal(stats.differences(x, y, EPOCHS, (150,)), expected)
    assert stats.pearson(*stats.differences(x, y, EPOCHS)) > 0.95 > stats.pearson(*np.array(expected))


@pytest.mark.parametrize("seed", range(5))
def test_a_planted_correlation_of_the_differences_is_found_under_any_trends(seed: int) -> None:
    dx, dy = white(seed, 0.7, 2000)
    x, y = np.cumsum(dx + 5), np.cumsum(dy - 5)
    assert stats.pearson(x, y) < -0.99
    assert stats.pearson(*stats.differences(x, y, np.arange(2000))) == pytest.approx(0.7, abs=0.05)


@pytest.mark.parametrize("seed", range(6))
def test_two_unrelated_trends_correlate_above_ninety_per_cent_and_their_differences_do_not(seed: int) -> None:
    """The trap: r of two curves that share nothing but falling."""
    rng = np.random.default_rng(seed)
    x = np.exp(-EPOCHS / 100) + 0.005 * rng.normal(size=240)
    y = 5 - 0.01 * EPOCHS + 0.02 * rng.normal(size=240)
    late = slice(120, None)
    assert stats.pearson(x[late], y[late]) > 0.9
    assert abs(stats.pearson(*stats.differences(x[late], y[late], EPOCHS[late]))) < 0.25


def test_a_constant_series_has_no_r() -> None:
    x, _ = white(5, 0)
    assert np.isnan(stats.pearson(x, np.full(240, 0.1)))  # whose mean is not quite 0.1


@pytest.mark.parametrize("values", [[1.0, 2.0, 4.0], [0.3, -0.2, 0.9, 0.4, 0.41]])
def test_the_interval_over_runs_is_students(values: list[float]) -> None:
    expected = scipy_stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert stats.mean_interval(values) == pytest.approx(tuple(expected))


def test_two_runs_have_no_interval() -> None:
    """Student's factor for two is 12.7: such an interval leaves out nothing, and hides that two are few."""
    assert (
        np.isnan(stats.mean_interval([1.0, 2.0])).all() and np.isnan(stats.mean_correlation_interval([0.1, 0.2])).all()
    )


def test_the_interval_of_correlations_is_taken_on_fishers_scale() -> None:
    r = np.array([0.99, 0.9, 0.95, 0.2])
    z = np.log((1 + r) / (1 - r)) / 2
    ends = (
        np.mean(z) + np.array([-1, 1]) * 3.18244630528371 * np.std(z, ddof=1) / 2
    )  # t of 3 degrees of freedom, 97.5 %
    expected = (np.exp(2 * ends) - 1) / (np.exp(2 * ends) + 1)
    assert stats.mean_correlation_interval(r) == pytest.approx(tuple(expected), rel=1e-9)
    assert -1 < expected[0] < expected[1] < 1 < stats.mean_interval(r)[1]  # a plain one would leave the scale


@pytest.mark.parametrize("values", [[], [0.5], [0.5, np.nan]])
def test_too_few_runs_have_no_interval(values: list[float]) -> None:
    assert np.isnan(stats.mean_interval(values)).all() and np.isnan(stats.mean_correlation_interval(values)).all()


def test_a_correlation_of_one_has_no_interval() -> None:
    assert np.isnan(stats.mean_correlation_interval([1.0, 0.9])).all()


# ------------------------------------------------------------------------------------ phases, and given a third curve
def test_within_phases_is_the_mean_of_fishers_z_each_phase_by_its_n_less_3() -> None:
    x, y = white(8, 0.4)
    r = [np.corrcoef(x[a:b], y[a:b])[0, 1] for a, b in ((0, 150), (150, 180), (180, 210), (210, 240))]
    z = np.average(np.log((1 + np.array(r)) / (1 - np.array(r))) / 2, weights=[147, 27, 27, 27])
    assert stats.within_phases(x, y, EPOCHS, DROPS) == pytest.approx((np.exp(2 * z) - 1) / (np.exp(2 * z) + 1))
    steps = 100.0 * (EPOCHS > 150)
    assert stats.within_phases(x + steps, y + steps, EPOCHS, (150,)) == pytest.approx(
        stats.within_phases(x, y, EPOCHS, (150,))
    )
    assert np.isnan(stats.within_phases(x[:6], y[:6], EPOCHS[:6], (3,)))  # a phase of 3 epochs says nothing
    level = np.where(EPOCHS > 150, x, 1.0)  # constant in its first phase: that phase does not count
    assert stats.within_phases(level, y, EPOCHS, (150,)) == pytest.approx(np.corrcoef(x[150:], y[150:])[0, 1])


@pytest.mark.parametrize("seed", range(4))
def test_partial_is_the_closed_form_and_knows_no_scale(seed: int) -> None:
    x, y = white(seed, 0.5)
    z = 0.6 * x - 0.3 * y + np.random.default_rng(seed + 50).normal(size=240)
    xy, xz, yz = (np.corrcoef(a, b)[0, 1] for a, b in ((x, y), (x, z), (y, z)))
    expected = (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))
    assert stats.partial(x, y, z) == pytest.approx(expected, rel=1e-10)
    assert stats.partial(3 * x + z, 7 - y, 1e6 * z + 5) == pytest.approx(-expected, rel=1e-8)
    inverse = np.linalg.inv(np.corrcoef([x, y, z, z**2]))  # two given: from the precision matrix
    assert stats.partial(x, y, np.column_stack([z, z**2])) == pytest.approx(
        -inverse[0, 1] / np.sqrt(inverse[0, 0] * inverse[1, 1])
    )


def test_partial_takes_a_common_cause_away_and_leaves_what_is_beside_it() -> None:
    cause, a, b = np.random.default_rng(4).normal(size=(3, 4000))
    x, y = 3 * cause + a, -2 * cause + b
    assert stats.pearson(x, y) < -0.8 and abs(stats.partial(x, y, cause)) < 3 / np.sqrt(4000)
    assert stats.partial(x, -2 * cause + 0.6 * a + 0.8 * b, cause) == pytest.approx(0.6, abs=0.04)
    assert np.isnan(stats.partial(2 * cause + 1, y, cause))  # nothing is left but rounding
    assert np.isnan(stats.partial(x[:3], y[:3], cause[:3]))
    small, usual = (np.column_stack([EPOCHS, unit * cause[:240]]) for unit in (1e-14, 1))  # in other units
    assert stats.partial(x[:240], y[:240], small) == pytest.approx(stats.partial(x[:240], y[:240], usual), rel=1e-6)
    assert np.isnan(stats.partial(x, y, np.where(x > 0, cause, np.inf)))


def test_the_mean_of_correlations_is_taken_on_fishers_scale() -> None:
    assert stats.mean_correlation([0.9, 0.9]) == pytest.approx(0.9)
    assert stats.mean_correlation([0.0, 0.96]) == pytest.approx(0.75)  # artanh 0.96 = ln 7, artanh 0.75 = ln 7 / 2
    assert stats.mean_correlation([1.0, 0.2]) == pytest.approx(0.6) and np.isnan(stats.mean_correlation([]))
    assert stats.mean_correlation([0.0, 0.5], np.array([3.0, 1.0])) == pytest.approx(np.tanh(np.arctanh(0.5) / 4))


def test_the_interval_of_a_share_of_yes_and_no_is_the_exact_one() -> None:
    """Of 12 answers that are all yes: 0.025 = p^12 at the lower end."""
    assert stats.share_interval(12, 12) == pytest.approx((0.025 ** (1 / 12), 1))
    beta = scipy_stats.beta.ppf([0.025, 0.975], [11, 12], [2, 1])
    assert stats.share_interval(11, 12) == pytest.approx(tuple(beta))


@pytest.mark.parametrize("answers", [12, 39, 30, 65])
def test_a_share_at_a_bound_is_said_to_be_above_it_in_one_of_forty_at_most(answers: int) -> None:
    """By Student's interval of the seeds' shares (3 of 4, 3 of 13, 5 of 6, 5 of 13) it was in 28, 7, 4 and 7 %."""
    draws, often = np.unique(np.random.default_rng(1).binomial(answers, 0.9, size=2000), return_counts=True)
    found = [stats.share_interval(int(yes), answers)[0] > 0.9 for yes in draws]
    assert np.average(found, weights=often) <= 0.025
