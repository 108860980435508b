"""What each freedom to align leaves of mu, and whether the teacher is nearer than a bystander; over seeds."""

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import alignment, over_seeds, stats, words
from kdnb.analysis.over_seeds import Estimate, estimate
from kdnb.analysis.study import Study
from kdnb.figures import intervals, style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.measure.history import BYSTANDER
from kdnb.runs import Run

RUNGS: Mapping[str, tuple[str, str, str]] = {
    "mu_raw": ("raw", "#0072b2", "circle"),
    "mu_matched": ("matched", "#009e73", "square"),
    "mu_rotated": ("rotated", "#cc79a7", "diamond"),
}
NAMES = {
    "mu_raw": "μ raw",
    "mu_centred": "μ centred: without the mean row, which softmax ignores",
    "mu_matched": "μ matched: features relabelled by their correlation",
    "mu_permuted": "μ permuted: relabelled so that μ is least",
    "mu_rotated": "μ rotated: the least that a turn of the features leaves",
    "mu_scaled": "μ scaled: columns times the spread of their feature, then matched",
    "classifier_cosine": "cosine of the classifiers",
}
KINDS = {"raw": "as they are", "rotated": "rotated"}  # what is known of both teachers
VIEWS = {"cosine": "of the cosine", "μ": "of μ"}
ABOVE = {"cosine": "nearer to the teacher", "μ": "nearer to the bystander"}


# ---------------------------------------------------------------------------------------------------------- the ladder
@exhibit("rungs-by-temperature", "Mu of the last epoch for each student, raw, matched and rotated, mean and seeds.")
def ladder(study: Study) -> Exhibit:
    """Three mus of the last epoch, a dot a seed, the mean with its interval; every mu there is in a table."""
    if not over_seeds.having(study.shown, "mu_raw"):
        return Exhibit(answer=ladder_sentence(study))
    fig = style.grid(1, 1, height=460)
    for column, (name, color, symbol) in RUNGS.items():
        found = over_seeds.estimates(over_seeds.collect(study, partial(Run.last, column=column)))
        fig.add_traces(intervals.points(found, name, "μ", {"color": color, "symbol": symbol}))
    fig.update_yaxes(title_text="μ", rangemode="tozero")
    intervals.axis(fig, list(study.groups))
    fig.update_layout(legend={"orientation": "h", "y": -0.28})
    drawn = style.captioned(fig, study, f"epoch {study.epochs}", study.shown)
    return Exhibit(drawn, answer=ladder_sentence(study), table=every_mu(study))


def ladder_sentence(study: Study) -> str:
    """What of raw mu matching and rotating undo at the median over all students, and of that to the bystander."""
    matched, rotated = (_shares(study, column) for column in ("mu_matched", "mu_rotated"))
    if not matched or not rotated:
        return "**It cannot be told: no student here has a μ above zero to take apart.**"
    most = max(len(matched), len(rotated))
    text = (
        f"matched (numbered as the teacher's) {_gone(matched.values())}, rotated {_gone(rotated.values())} "
        f"(medians over {words.counted(most, 'student')})"
    )
    beside = []
    for name, own in {"matched": matched, "rotated": rotated}.items():
        other = _shares(study, f"mu_{name}", BYSTANDER)
        both = [path for path in other if path in own]
        if both:
            theirs, its = (_gone(shares[path] for path in both) for shares in (other, own))
            whose = words.counted(len(both), "student that has", "students that have")
            fewer = f" ({its} to the teacher, in the {whose} both)" if len(both) < most else ""
            beside.append(f"{theirs} {name}{fewer}")
    if not beside:
        return words.sentence(f"{text}; what any two networks lose so cannot be told: no bystander was followed")
    return words.sentence(f"{text}; of μ to the bystander {style.joined(beside)}")


def _gone(shares: Iterable[float]) -> str:
    """What of raw mu is no longer there, at the median."""
    return words.number(1 - float(np.median([*shares])), "{:.0%}")


def _shares(study: Study, column: str, side: str = "") -> dict[Path, float]:
    """A mu as a share of raw mu to the same teacher, of every student that has both, by its folder."""
    raw = {run.path: run.last(f"{side}mu_raw") for run in study.shown}
    found = {run.path: run.last(f"{side}{column}") / raw[run.path] for run in study.shown if raw[run.path] > 0}
    return {path: share for path, share in found.items() if np.isfinite(share)}


def every_mu(study: Study) -> str:
    """A table: every mu of the last epoch, of KD at T = 4 and of normal training, to the teacher and the bystander.

    A mean over those seeds whose histories have it, with n where these are not all.
    """
    runs = study.leading_pair
    groups = study.groups
    rows = []
    for column, name in NAMES.items():
        cells = {"last epoch, mean over seeds": name}
        for run in runs:
            # Beside each other over the same seeds: those that have the bystander's, where any has.
            both = over_seeds.having(groups[run.label], f"{BYSTANDER}{column}") or groups[run.label]
            for side, of in (("", "to the teacher"), (BYSTANDER, "to the bystander")):
                found = estimate(one.last(f"{side}{column}") for one in both)
                cells[f"{run.label}, {of}"] = _cell(found, len(groups[run.label]))
        rows.append(cells)
    return style.table(pd.DataFrame(rows), "every μ of the last epoch")


def _cell(found: Estimate, of: int) -> str:
    if not found.values:
        return "–"
    fewer = f" (n\u00a0=\u00a0{len(found.values)})" if len(found.values) < of else ""
    return f"{words.number(found.mean, '{:.3g}')}{fewer}"


# -------------------------------------------------------------------------------------------------- teacher, bystander


@exhibit(
    "mu-teacher-or-bystander",
    "Teacher minus bystander, of the cosine and of mu, for each student: mean and interval over seeds.",
    step="difference",
)
def sides(study: Study) -> Exhibit:
    """Teacher minus bystander, raw above, rotated below: of the cosine, which knows no lengths, and of mu."""
    return Exhibit({name: _sides(study, view) for view, name in VIEWS.items()}, answer=sides_sentence(study))


def _sides(study: Study, view: str) -> go.Figure:
    titles = [f"{name} · above 0: {ABOVE[view]}" for name in KINDS.values()]
    fig = style.grid(2, 1, titles, 520, shared_xaxes=True, vertical_spacing=0.09)
    labels = list(study.groups)
    for row, kind in enumerate(KINDS, start=1):
        look = {"color": style.TEACHER, "symbol": "circle"}
        found = over_seeds.estimates(alignment.differences(study, kind, view))
        for trace in intervals.points(found, "teacher − bystander", KINDS[kind], look):
            fig.add_trace(trace.update(showlegend=False), row, 1)
        fig.add_trace(intervals.level(labels, 0, "no difference", style.OTHER, "dot").update(showlegend=False), row, 1)
        intervals.axis(fig, labels, row=row)
    fig.update_xaxes(showticklabels=False, row=1)
    what = f"{VIEWS[view]}, epoch {study.epochs}"
    return style.captioned(fig, study, what, study.shown)


def sides_sentence(study: Study) -> str:
    """Is KD's classifier nearer to its teacher's than to the bystander's, and more so than normal training's?"""
    kd = study.nearest(4)
    parts = []
    for kind, where in (("raw", "as the weights stand"), ("rotated", "once rotated")):
        found = alignment.differences(study, kind, "cosine")
        if kd is None or not found.get(kd.label):
            continue
        one = estimate(found[kd.label].values())
        beyond = estimate(over_seeds.paired(found, found, kd.label, "normal"))
        so = NEARER[one.side] if _enough(one) else "it cannot be told from so few seeds"
        text = f"{so} {where}: {kd.label}'s cosine with the teacher less with the bystander {one.told('{:+.2g}')}"
        if beyond.values:
            more = BEYOND[one.side == 0, beyond.side * (one.side or 1)] if _enough(beyond) else "beyond normal training"
            text += f", {more}, {beyond.told('{:+.2g}')}"
        parts.append(text)
    if kd is None or not parts:
        return "**It cannot be told: KD, or the length of a teacher's or a bystander's classifier, is not known here.**"
    return words.sentence("; ".join(parts))


def _enough(found: Estimate) -> bool:
    return len(found.values) >= stats.LEAST_RUNS


NEARER = {1: "yes", 0: "not that it could be seen", -1: "no, nearer to the bystander,"}
# By whether no difference is seen, and the side of what is beyond normal training's, that of the difference being 1.
BEYOND = {
    (True, 1): "but beyond normal training",
    (True, 0): "nor beyond normal training",
    (True, -1): "but short of normal training",
    (False, 1): "and beyond normal training",
    (False, 0): "but not beyond normal training",
    (False, -1): "but short of normal training",
}
