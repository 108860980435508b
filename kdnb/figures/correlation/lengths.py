"""Why the student's classifier grows or shrinks, and r with it: the exact account of ||W_s||^2 by temperature."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from kdnb.analysis import accounts, words
from kdnb.analysis.over_seeds import Estimate, estimate
from kdnb.analysis.study import Study
from kdnb.figures import intervals, style
from kdnb.figures.account.bars import cause_look, stacked
from kdnb.figures.alignment.terms import amount
from kdnb.figures.correlation.norms import NORM
from kdnb.figures.exhibit import Exhibit, exhibit

Causes = Mapping[str, Sequence[Mapping[str, float]]]  # by label, a run each: change of ||W_s||^2 by cause


@exhibit(
    "length-account-{of}",
    "What changed the classifier's squared norm after the warm-up, stacked by cause, against T; below, the sum alone.",
)
def balance(study: Study) -> Exhibit:
    """Above: what each cause did to ||W_s||^2 in the window of r, stacked, and their sum; below: the sum, a dot a seed.

    Of each student all seeds with such an account: every bar balances by itself.
    """
    moved = causes(study)
    shown = [run for label in moved for run in accounts.accounted(study, label, accounts.LENGTH)]
    if not shown:
        return Exhibit(answer=sentence(study, moved), of=study.name)
    means = pd.DataFrame({intervals.short(label): pd.DataFrame(runs).mean() for label, runs in moved.items()}).T
    titles = [f"change of {NORM}² by cause", "all together"]
    fig = style.grid(2, 1, titles, 640, shared_xaxes=True, vertical_spacing=0.09, row_heights=[0.62, 0.38])
    for trace in stacked(means, style.DIGITS, 9):
        fig.add_trace(trace, 1, 1)
    for trace in intervals.points(sums(moved), "all together", "change", {"color": style.MSE, "symbol": "diamond"}):
        fig.add_trace(trace.update(showlegend=False), 2, 1)
    fig.add_hline(0, line={"color": style.QUIET, "width": 1}, row=2, col=1)
    intervals.axis(fig, list(moved))
    fig.update_layout(barmode="relative", legend={"orientation": "h", "y": -0.14})
    return Exhibit(
        style.captioned(fig, study, f"{style.window(study)}, mean over seeds", shown),
        answer=sentence(study, moved),
        of=study.name,
    )


def causes(study: Study) -> Causes:
    """Of normal training and KD by rising T, those with an account of their length, over the epochs that r is of.

    r begins with the value at the end of the first epoch after the warm-up: what moved it until then is no part of it.
    """
    compared = [*filter(None, [study.get("normal")]), *study.kd.values()]
    groups = {run.label: accounts.accounted(study, run.label, accounts.LENGTH) for run in compared}
    return {
        label: [accounts.totals(run, accounts.LENGTH, study.warm_up + 1) for run in runs]
        for label, runs in groups.items()
        if runs
    }


def sums(moved: Causes) -> dict[str, Estimate]:
    """The change of ||W_s||^2 by label, over seeds."""
    return {label: estimate(sum(run.values()) for run in runs) for label, runs in moved.items()}


def sentence(study: Study, moved: Causes) -> str:
    """At which T the classifier shrinks, which is where decay takes more than all else gives; both ends in numbers."""
    labels = {t: run.label for t, run in study.kd.items() if run.label in moved}
    if not labels or study.epochs - study.warm_up < 2:  # over one epoch nothing moves
        return f"**Why {NORM} grows or shrinks cannot be told: no student here has an account of its length.**"
    total = sums(moved)
    falls = [t for t, label in labels.items() if total[label].mean < 0]
    some = f"T = {style.joined(falls)}," if 0 < len(falls) < len(labels) else "all" if falls else "none"
    ends = "; ".join(f"at T = {t:g}: {_told(moved[labels[t]])}" for t in dict.fromkeys((min(labels), max(labels))))
    seeds = words.span([len(moved[label]) for label in labels.values()], "seed")
    return (
        f"**{NORM} shrinks where weight decay outweighs all else: at {some} of "
        f"{words.counted(len(labels), 'temperature')}. What moves {NORM}² {ends} ({seeds}).**"
    )


def _told(runs: Sequence[Mapping[str, float]]) -> str:
    """The two greatest causes and the sum of all, means over runs."""
    mean = pd.DataFrame(runs).mean()
    most = mean.loc[np.abs(mean).sort_values(ascending=False).index[:2]]
    by = ", ".join(f"{cause_look(str(cause))[0]} {amount(value)}" for cause, value in most.items())
    return f"{by}, all together {amount(float(mean.sum()))}"
