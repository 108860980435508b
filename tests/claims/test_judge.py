"""What is said of a claim's numbers, and verdicts that stay as they are."""

from pathlib import Path

import numpy as np
import pytest

from kdnb import runs
from kdnb.analysis import stats
from kdnb.claims import controls, paper
from kdnb.claims.controls import Check
from kdnb.claims.judge import Measure, Share, above, interval_of


def test_a_measure_says_its_interval_or_why_there_is_none() -> None:
    share, r = Measure("", "{:+.1%}"), Measure("", "{:.2f}", "correlation")
    choice = Measure("", "{:.3g}", "choice")
    assert share.between([0.1, 0.2, 0.3]) == "−4.8% to +44.8%"  # 0.2 -+ 4.3027 * 0.1 / sqrt(3)
    assert r.between([0.5, 0.5, 0.9]) == "−0.44 to 0.97"  # z: 0.5493, 0.5493, 1.4722
    assert [r.between(values) for values in ([], [0.5], [1.0, 0.5], [np.nan, 0.5])] == [
        "not tested",
        "one seed, no interval",
        "no interval",
        "no interval",
    ]
    assert (choice.over_seeds([4, 2, 4]), choice.between([4, 2])) == ("4, 2, 4", "no interval")
    # z: 0.5 ln 9 and 0.5 ln 4 have their mean at 0.5 ln 6
    assert r.mean([0.8, 0.6]) == pytest.approx(5 / 7) and share.mean([0.8, 0.6]) == pytest.approx(0.7)
    assert (r.over_seeds([0.5, -1.0]), r.over_seeds([np.nan])) == ("−0.25", "undefined")


def test_the_interval_of_shares_is_that_of_all_seeds_answers() -> None:
    """Of shares that are all 1 Student's interval would be a point; less than a bound it moves down by it."""
    assert interval_of([Share(4, 4)] * 3) == stats.share_interval(12, 12)
    less = [above(Share(yes, 4), 0.5) for yes in (4, 3, 4)]
    assert less == [0.5, 0.25, 0.5] and above(0.75, 0.5) == 0.25
    low, high = stats.share_interval(11, 12)
    assert interval_of(less) == Measure("", "").interval(less) == (low - 0.5, high - 0.5)
    assert interval_of([*map(float, less)]) == stats.mean_interval(less)
    assert np.isnan(interval_of([Share(4, 4)] * 2)).all()


def test_the_mark_of_the_controls_tells_all_some_none_and_not_sayable_apart() -> None:
    r = Measure("r", "{:.2f}", "correlation")
    yes, no, open_ = (Check.of(r, 1, values) for values in ([0.5, 0.6, 0.7], [-0.5, 0.6, 0.1], [0.5, 0.6]))
    told = [
        controls.standing(checks) for checks in ([yes, yes], [yes, no], [no, no], [open_], [yes, open_], [no, open_])
    ]
    assert told == [
        "■\u00a02 of 2 checks",
        "◧\u00a01 of 2 checks",
        "□\u00a00 of 2 checks",
        "?\u00a0cannot be said",
        "◧\u00a01 of 2 checks, 1 open",
        "□\u00a00 of 2 checks, 1 open",
    ]


FROZEN = {  # verdict, seeds in which each part held, and one number, as they were judged when the thresholds were new
    "C1": ("not found here", [0, 0], ("r", -0.854498)),
    "C2": ("partly", [2, 0], ("r", -0.793579)),
    "C3": ("not found here", [0, 0, 2], ("fall", -0.001432)),
    "C4": ("partly", [0, 0, 1, 1], ("r_last", -0.920395)),  # at first [0, 1, 1, 1], "rises" being of two temperatures
    "C5": ("partly", [1, 0], ("r_high", 0.017916)),
    "C6": ("not found here", [1, 0, 0, 0], ("gain", 0.116408)),
    "C7": ("partly", [2, 1], ("rise", 0.030307)),
    "C8": ("not found here", [0, 0], ("shape", -0.803398)),
    "C9": ("not testable", [], ("n", 0)),
    "C10": ("partly", [0, 1], ("r_cosine", 0.863676)),
    "C11": ("not found here", [0, 0], ("lead", -1.13)),
}

LATER = ("kd-T1-a0.9-wd0.0005-s1", "kd-T10-a0.9-wd0.0005-s1")  # trained when the thresholds had long been fixed


def test_thresholds_are_not_moved() -> None:
    """The published runs of two seeds get the verdicts that they got at first."""
    folder = Path(__file__).parents[2] / "results" / "cifar100-small"
    there = runs.find(folder, role="student", weight_decay=5e-4)
    every = [run for run in there if run.spec.init_seed < 2 and run.path.name not in LATER]
    for found in paper.judge(every):
        word, parts, (name, value) = FROZEN[found.claim.id]
        assert (found.verdict, list(found.parts.values())) == (word, parts), found
        number = np.mean(found.values[name]) if name in found.values else found.evidence[name]
        assert number == pytest.approx(value, abs=1e-6)
