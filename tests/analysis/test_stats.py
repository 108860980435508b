"""Correlation of curves: closed forms, independent references, and the traps as facts."""

import numpy as np
import pytest
from arch.bootstrap import CircularBlockBootstrap
from scipy import stats as scipy_stats

from kdnb.analysis import stats

EPOCHS = np.arange(1, 241)
DROPS = (150, 180, 210)


def white(seed: int, rho: float, n: int = 240) -> tuple[np.ndarray, np.ndarray]:
    x, e = np.random.default_rng(seed).normal(size=(2, n))
    return x, rho * x + np.sqrt(1 - rho**2) * e


def autoregressive(seed: int, phi: float, n: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=n)
    out = np.zeros(n)
    for t in range(1, n):
        out[t] = phi * out[t - 1] + noise[t]
    return out


def scheduled(seed: int, noise: float = 0.02) -> np.ndarray:
    """A curve that knows nothing but the schedule: it relaxes to a new level after each drop."""
    rng = np.random.default_rng(seed)
    levels, rates = np.sort(rng.uniform(0.2, 2, size=4))[::-1], rng.uniform(2, 8, size=4)
    phase = np.searchsorted(DROPS, EPOCHS)
    start = np.array([0, *DROPS])[phase]
    before = np.concatenate([[3.0], levels[:-1]])[phase]
    curve = levels[phase] + (before - levels[phase]) * np.exp(-(EPOCHS - start) / rates[phase])
    return curve + noise * rng.normal(size=240)


def test_the_papers_r_is_scipys_over_the_epochs_after_the_warm_up() -> None:
    x, y = white(0, 0.4)
    expected = scipy_stats.pearsonr(x[120:], y[120:])
    measured = stats.correlation(x, y)
    assert measured.n == 120
    assert measured.r == pytest.approx(expected.statistic, rel=1e-12)
    assert measured.naive_p == pytest.approx(expected.pvalue, rel=1e-9)
    assert stats.correlation(x, y, EPOCHS, warm_up=120) == measured
    whole = stats.correlation(x, y, warm_up=0)
    assert (whole.n, whole.r) == (240, pytest.approx(np.corrcoef(x, y)[0, 1], rel=1e-12))


def test_phases_are_cut_where_the_learning_rate_falls_after_the_epoch_named() -> None:
    x, y = white(1, 0.4)
    measured = stats.correlation(x, y, drops=DROPS)
    assert list(measured.phases) == ["121-150", "151-180", "181-210", "211-240"]
    assert measured.phases["151-180"] == pytest.approx(np.corrcoef(x[150:180], y[150:180])[0, 1], rel=1e-12)
    assert list(stats.correlation(x, y, drops=(240,)).phases) == ["121-240"]


def test_differences_across_a_drop_are_left_out() -> None:
    x, y = white(2, 0.4)
    x, y = x + 100 * (EPOCHS > 150), y + 100 * (EPOCHS > 150)
    measured = stats.correlation(x, y, drops=(150,))
    kept = [i for i in range(120, 239) if i + 1 != 150]  # 0-based i is epoch i + 1
    dx, dy = ([s[i + 1] - s[i] for i in kept] for s in (x, y))
    assert measured.n_differences == 118
    assert measured.r_differences == pytest.approx(np.corrcoef(dx, dy)[0, 1], rel=1e-10)
    assert stats.correlation(x, y).r_differences > 0.95 > measured.r_differences


@pytest.mark.parametrize("seed", range(5))
def test_a_planted_correlation_of_the_differences_is_found_under_any_trends(seed: int) -> None:
    dx, dy = white(seed, 0.7, 2000)
    x, y = np.cumsum(dx + 5), np.cumsum(dy - 5)
    measured = stats.correlation(x, y, warm_up=0)
    assert measured.r < -0.99
    assert measured.r_differences == pytest.approx(0.7, abs=0.05)
    assert measured.interval[0] < 0.7 < measured.interval[1]


@pytest.mark.parametrize(("phi_x", "phi_y"), [(0.0, 0.0), (0.5, 0.5), (0.8, 0.3), (0.9, 0.9)])
def test_effective_size_of_ar1_series_is_the_closed_form(phi_x: float, phi_y: float) -> None:
    n = 50_000
    x, y = autoregressive(1, phi_x, n), autoregressive(2, phi_y, n)
    expected = n * (1 - phi_x * phi_y) / (1 + phi_x * phi_y)
    assert stats.effective_size(x, y) == pytest.approx(expected, rel=0.03)


def test_the_spread_of_r_between_unrelated_ar1_series_is_that_of_n_eff_not_of_n() -> None:
    """What n_eff is for: var(r) is about 1 / n_eff, several times 1 / n."""
    r = np.array(
        [stats.pearson(autoregressive(2 * s, 0.9, 300), autoregressive(2 * s + 1, 0.9, 300)) for s in range(300)]
    )
    theory = 300 * (1 - 0.81) / (1 + 0.81)
    assert 1 / r.var() == pytest.approx(theory, rel=0.3)
    assert 1 / r.var() < 60


def test_effective_size_never_exceeds_n_and_is_refused_below_ten() -> None:
    flip = (-1.0) ** np.arange(100) + 0.1 * np.random.default_rng(0).normal(size=100)
    assert stats.effective_size(flip, np.linspace(0, 1, 100)) == 100
    ramp = np.linspace(0, 1, 120)
    assert stats.effective_size(ramp, ramp**2) is None
    notes = stats.correlation(ramp, ramp**2, warm_up=0).notes
    assert any("fewer than 10 independent" in note for note in notes)


@pytest.mark.parametrize(("points", "length"), [(116, 1), (116, 5), (100, 25), (101, 25)])
def test_the_bootstrap_interval_is_that_of_the_arch_package(points: int, length: int) -> None:
    """Sheppard's circular block bootstrap, from the same generator."""
    x, y = white(7, 0.5, points)
    reference = CircularBlockBootstrap(length, x, y, seed=np.random.default_rng(3))
    expected = reference.conf_int(lambda a, b: np.corrcoef(a, b)[0, 1], reps=400, method="percentile", size=0.9)
    generator = np.random.default_rng(3)
    found = stats.bootstrap_interval(x, y, block_length=length, resamples=400, level=0.9, generator=generator)
    assert found == pytest.approx(tuple(expected.ravel()), rel=1e-9)


def test_the_bootstrap_interval_covers_as_often_as_it_says() -> None:
    rho, covered = 0.5, 0
    for seed in range(300):
        low, high = stats.bootstrap_interval(*white(seed, rho, 116), resamples=400)
        assert low < high
        covered += low < rho < high
    assert 0.89 <= covered / 300 <= 0.985


def test_on_differences_of_unrelated_noise_it_covers_zero_about_nine_times_in_ten() -> None:
    """Its use in the study. Differencing makes neighbours correlate at -1/2: single points would cover less."""
    covered = np.zeros(2)
    for seed in range(300):
        dx, dy = np.diff(np.random.default_rng(seed).normal(size=(2, 117)), axis=1)
        intervals = [stats.bootstrap_interval(dx, dy, resamples=400, block_length=k) for k in (None, 1)]
        covered += [low < 0 < high for low, high in intervals]
    assert 0.86 <= covered[0] / 300 <= 0.97
    assert covered[1] < covered[0]


def test_the_interval_resamples_pairs_jointly_and_depends_on_the_generator_alone() -> None:
    x, y = white(3, 0.99, 100)
    low, high = stats.bootstrap_interval(x, y)
    assert 0.97 < low < high < 1  # pairs torn apart would give about 0
    assert stats.bootstrap_interval(x, y) == (low, high)
    assert stats.bootstrap_interval(x, y, generator=np.random.default_rng(1)) != (low, high)
    assert stats.bootstrap_interval(x, y, block_length=100) == pytest.approx((np.corrcoef(x, y)[0, 1],) * 2)


def test_blocks_keep_the_autocorrelation_that_single_points_lose() -> None:
    """Of two unrelated AR(1) series r varies more than points suggest; wider blocks see it."""
    x, y = autoregressive(5, 0.8, 600), autoregressive(6, 0.8, 600)
    points, blocks = (stats.bootstrap_interval(x, y, block_length=k) for k in (1, 25))
    assert blocks[1] - blocks[0] > 1.4 * (points[1] - points[0])


@pytest.mark.parametrize("seed", range(6))
def test_two_unrelated_trends_correlate_above_ninety_per_cent_and_their_differences_do_not(seed: int) -> None:
    """The trap: r and p of two curves that share nothing but falling."""
    rng = np.random.default_rng(seed)
    x = np.exp(-EPOCHS / 100) + 0.005 * rng.normal(size=240)
    y = 5 - 0.01 * EPOCHS + 0.02 * rng.normal(size=240)
    measured = stats.correlation(x, y)
    assert measured.r > 0.9 and measured.naive_p < 1e-40
    assert abs(measured.r_differences) < 0.25
    assert measured.interval[0] < 0.1 and measured.interval[1] > -0.1
    assert measured.n_eff is None


def test_runs_that_share_only_a_schedule_correlate_as_well_mismatched_as_matched() -> None:
    mus, losses = [scheduled(s)[120:] for s in range(4)], [scheduled(s + 100)[120:] for s in range(4)]
    null = stats.mismatched_null(mus, losses)
    assert null.matched.shape == (4,) and null.mismatched.shape == (12,)
    assert null.matched.min() > 0.8
    assert null.mismatched.mean() == pytest.approx(null.matched.mean(), abs=0.08)


def test_mismatched_null_sees_what_is_a_runs_own() -> None:
    pairs = [white(s, 0.9, 120) for s in range(3)]
    null = stats.mismatched_null([x for x, _ in pairs], [y for _, y in pairs])
    assert null.matched.min() > 0.8 > 0.3 > np.abs(null.mismatched).max()
    assert null.mismatched[0] == pytest.approx(np.corrcoef(pairs[0][0], pairs[1][1])[0, 1])
    with pytest.raises(ValueError, match="1 mu and 1 loss curves.*another seed"):
        stats.mismatched_null([pairs[0][0]], [pairs[0][1]])


def test_a_constant_series_has_no_r_and_says_so() -> None:
    x, _ = white(5, 0)
    measured = stats.correlation(x, np.full(240, 0.1))
    assert np.isnan([measured.r, measured.naive_p, measured.r_differences, *measured.interval]).all()
    assert measured.n_eff is None
    assert measured.notes == ("r is undefined: the second series is constant.",)


def test_a_phase_too_short_for_r_is_named() -> None:
    x, y = white(6, 0.3)
    measured = stats.correlation(x, y, drops=(238,))
    assert np.isnan(measured.phases["239-240"])
    assert "r is undefined in epochs 239-240: too few, or constant." in measured.notes


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (np.ones(122), np.ones(122), ["2 epochs", "warm-up 120", "lower warm_up"]),
        (np.ones(240), np.ones(239), ["(240,)", "(239,)", "equal"]),
        (np.r_[np.nan, np.ones(239)], np.ones(240), ["1 of 240", "not finite"]),
    ],
)
def test_refusals(x: np.ndarray, y: np.ndarray, words: list[str]) -> None:
    with pytest.raises(ValueError) as refusal:
        stats.correlation(x, y)
    assert all(word in str(refusal.value) for word in words)


@pytest.mark.parametrize("values", [[1.0, 2.0, 4.0], [0.3, -0.2, 0.9, 0.4, 0.41]])
def test_the_interval_over_runs_is_students(values: list[float]) -> None:
    expected = scipy_stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert stats.mean_interval(values) == pytest.approx(tuple(expected))
    assert stats.mean_interval(values, 0.8) == pytest.approx(
        tuple(scipy_stats.ttest_1samp(values, 0).confidence_interval(0.8))
    )


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


def test_the_mean_of_correlations_is_taken_on_fishers_scale() -> None:
    assert stats.mean_correlation([0.9, 0.9]) == pytest.approx(0.9)
    assert stats.mean_correlation([0.0, 0.96]) == pytest.approx(0.75)  # artanh 0.96 = ln 7, artanh 0.75 = ln 7 / 2
    assert stats.mean_correlation([1.0, 0.2]) == 1 and np.isnan(stats.mean_correlation([]))
    assert stats.mean_correlation([0.0, 0.5], np.array([3.0, 1.0])) == pytest.approx(np.tanh(np.arctanh(0.5) / 4))
