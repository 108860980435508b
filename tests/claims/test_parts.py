"""The paper's claims part by part: numbers on which all hold, each part crossed; the numbers again, by hand."""

from dataclasses import replace

import numpy as np
import pytest
from test_paper import as_in_the_paper, bent, column, curves, student, with_features

from kdnb.analysis.students import Students, in_front, of_each_seed
from kdnb.claims import paper, paper_numbers

HOLDS = {
    "C1": {"r": 0.95},
    "C2": {"r": -0.95},
    "C3": {"fall": 0.1, "early": 0.9},
    "C4": {"peak": 4, "before": 0.9, "after": -0.9, "r_last": -0.6},
    "C5": {"r_low": 1.0, "r_high": 0.4, "mu_low": 0.1, "mu_high": 0.04},
    "C6": {"better": 1, "similarity": 0.9, "farthest": 4, "within_change": -0.1},
    "C7": {"rise": 0.1, "trend": 0.6},
    "C8": {"shape": 0.95, "fall": 0.1, "kd_fall": 0.1},
    "C9": {"order": -0.9, "shape": 0.95, "spread": 0.09},
    "C10": {"r": 0.05, "r_cosine": 0.2, "rough": 1.0, "rough_cosine": 1.1},
    "C11": {"ahead": 0.001},
}
CROSSED: list[tuple[str, dict[str, float], int]] = [  # and how many parts still hold
    *(("C1", {"r": r}, held) for r, held in ((0.89, 1), (-0.95, 0))),
    *(("C2", {"r": r}, held) for r, held in ((-0.89, 1), (0.95, 0))),
    *(("C3", {"early": early}, 2) for early in (0.79, 1.21)),
    *(("C3", {"fall": fall}, held) for fall, held in ((0.21, 2), (-0.1, 1), (-0.21, 0))),
    *(("C4", {name: value}, 3) for name, value in (("before", 0.79), ("after", -0.79), ("r_last", -0.49))),
    *((name, {number: t}, 3) for name, number in (("C4", "peak"), ("C6", "farthest")) for t in (2, 6)),
    *(("C5", {name: value}, 1) for name, value in (("r_high", 0.51), ("mu_high", 0.051))),
    *(("C6", {name: value}, 3) for name, value in (("better", 2 / 3), ("similarity", 0.79), ("within_change", 0.01))),
    *(("C7", {name: value}, 1) for name, value in (("rise", -0.01), ("trend", 0.49))),
    *(("C8", {name: value}, 1) for name, value in (("shape", 0.89), ("fall", -0.1), ("kd_fall", -0.1))),
    *(("C9", {name: value}, 2) for name, value in (("order", -0.79), ("shape", 0.89), ("spread", 0.11))),
    *(("C10", {name: value}, 1) for name, value in (("r_cosine", 0.26), ("r_cosine", -0.05), ("rough_cosine", 0.9))),
    *(("C11", {"ahead": ahead}, held) for ahead, held in ((0.0, 1), (-0.004, 1), (-0.006, 0))),
]


@pytest.mark.parametrize(("name", "changes", "held"), CROSSED)
def test_a_part_that_is_crossed_alone_is_lost_alone(name: str, changes: dict[str, float], held: int) -> None:
    (claim,) = (claim for claim in paper.CLAIMS if claim.id == name)
    assert all(claim.parts(HOLDS[name]).values()) and set(changes) <= set(HOLDS[name])
    assert sum(claim.parts(HOLDS[name] | changes).values()) == held


def test_alpha_s_shape_is_of_the_two_least_alike_and_its_span_from_least_to_greatest() -> None:
    runs = [student("kd", curves(r), temperature=4.0, alpha=alpha) for alpha, r in ((0.3, 0.2), (0.6, 0.5), (0.9, 0.9))]
    found = paper_numbers.alpha(Students(students=runs[2:], every=runs))
    shapes = np.corrcoef([run.history.mu_raw[120:] for run in runs])
    assert found["shape"] == pytest.approx(shapes.min()) and shapes.min() < shapes[0, 1] - 0.05
    assert found["spread"] == pytest.approx(0.7)


def test_mu_differs_from_mse_s_by_a_share_of_it() -> None:
    runs = bent(mse=column("mu_raw", lambda h: 2 * h.mu_raw))
    (seed,) = of_each_seed(runs)
    mse, hot = (run.history.mu_raw[120:] for run in (seed.mse(), seed.kd_at(10)))
    assert paper_numbers.nears_mse(seed)["mu_high"] == pytest.approx(np.sqrt(((hot / mse - 1) ** 2).mean()))


def test_longer_features_separate_no_better_and_as_good_is_not_better() -> None:
    usual, longer, as_good = (
        paper_numbers.separation(of_each_seed(runs)[0])
        for runs in (
            as_in_the_paper(),
            bent(kd_t10=lambda run: replace(run, matched=replace(run.matched, features=3 * run.matched.features))),
            bent(normal=with_features(1.6, 0.05)),  # as KD at T = 1
        )
    )
    assert longer == pytest.approx(usual) and (usual["better"], as_good["better"]) == (1, pytest.approx(2 / 3))


def test_the_cosine_rises_from_its_first_five_epochs() -> None:
    run = student("normal", curves(0.9).assign(feature_cosine=lambda h: np.sqrt(h.epoch)))
    ends = np.sqrt([np.arange(1, 6), np.arange(236, 241)]).mean(1)
    assert paper_numbers.approach(run)["rise"] == pytest.approx(ends[1] - ends[0])


def test_alphas_are_of_the_seed_in_front_and_none_is_zero() -> None:
    kd = {(alpha, seed): student("kd", curves(0.9), None, seed, temperature=4.0, alpha=alpha)
          for alpha, seed in ((0.9, 0), (0.3, 0), (0.0, 0), (0.6, 1), (0.9, 1))}  # fmt: skip
    for seed, alphas in ((0, [0.3, 0.9]), (1, [0.6, 0.9])):
        found = Students(students=in_front(kd.values(), seed, 0.9), every=list(kd.values())).by_alpha(4)
        assert list(found) == alphas and all(run is kd[alpha, seed] for alpha, run in found.items())


def test_temperatures_rise_and_of_two_as_near_the_cooler_is_taken() -> None:
    made = ((0, 6), (1, 2), (1, 6))
    runs = [student("kd", curves(t / 10), None, seed, temperature=float(t), alpha=0.9) for seed, t in made]
    seeds = of_each_seed(runs)
    found = paper_numbers.r_by_temperature(seeds)
    assert list(found.items()) == [(2, pytest.approx([0.2])), (6, pytest.approx([0.6, 0.6]))]
    assert seeds[1].nearest(4) is runs[1]
