"""What each freedom to align leaves of mu, and whether the teacher is nearer than a bystander; over seeds."""

from collections.abc import Mapping
from functools import partial

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
        found = over_seeds.estimates(over_seeds.collect(study, partial(_last, column=column)))
        fig.add_traces(intervals.points(found, name, "μ", {"color": color, "symbol": symbol}))
    fig.update_yaxes(title_text="μ", rangemode="tozero")
    intervals.axis(fig, list(over_seeds.groups(study)))
    fig.update_layout(legend={"orientation": "h", "y": -0.28})
    drawn = style.captioned(fig, study, f"epoch {study.epochs}", study.shown)
    return Exhibit(drawn, answer=ladder_sentence(study), table=every_mu(study))


def _last(run: Run, column: str) -> float | None:
    found = run.last(column)
    return found if np.isfinite(found) else None


def ladder_sentence(study: Study) -> str:
    """What matching and rotating leave of raw mu at the median over all students, and of that to the bystander."""
    matched, rotated = (_shares(study, column) for column in ("mu_matched", "mu_rotated"))
    if not matched or not rotated:
        return "**No student here has a μ above zero to take apart.**"
    most = max(len(matched), len(rotated))
    text = (
        f"Of raw μ at the last epoch {np.median(matched):.0%} are left when features are matched, and "
        f"{np.median(rotated):.0%} when they are rotated (medians over {words.counted(most, 'student')})"
    )
    known = {name: _shares(study, f"mu_{name}", BYSTANDER) for name in ("matched", "rotated")}
    beside = [
        f"{np.median(shares):.0%} {name}" + (f" (of {len(shares)})" if len(shares) < most else "")
        for name, shares in known.items()
        if shares
    ]
    if not beside:
        return f"**{text}; what any two networks lose in this way cannot be told: no bystander was followed.**"
    return f"**{text}; of that to the bystander, which no student saw, {style.joined(beside)}.**"


def _shares(study: Study, column: str, side: str = "") -> list[float]:
    """A mu as a share of raw mu to the same teacher, of every student that has both."""
    raw = {run.path: run.last(f"{side}mu_raw") for run in study.shown}
    found = [run.last(f"{side}{column}") / raw[run.path] for run in study.shown if raw[run.path] > 0]
    return [share for share in found if np.isfinite(share)]


def every_mu(study: Study) -> str:
    """A table: every mu of the last epoch, of KD at T = 4 and of normal training, to the teacher and the bystander."""
    runs = study.leading_pair
    groups = over_seeds.groups(study)
    rows = []
    for column, name in NAMES.items():
        cells = {"last epoch, mean over seeds": name}
        for run in runs:
            for side, of in (("", "to the teacher"), (BYSTANDER, "to the bystander")):
                mean = float(np.mean([one.last(f"{side}{column}") for one in groups[run.label]]))
                cells[f"{run.label}, {of}"] = words.number(mean, "{:.3g}") if np.isfinite(mean) else "–"
        rows.append(cells)
    return style.table(pd.DataFrame(rows), "every μ of the last epoch")


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
    labels = list(over_seeds.groups(study))
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
    for kind, name in KINDS.items():
        found = alignment.differences(study, kind, "cosine")
        if kd is None or not found.get(kd.label):
            continue
        one = estimate(found[kd.label].values())
        beyond = estimate(over_seeds.paired(found, found, kd.label, "normal"))
        text = f"{name}, {_said(NEARER, one)}, cosine {one.told('{:+.2g}')}"
        if beyond.values:
            text += f"; beyond normal training {beyond.told('{:+.2g}')}, {_said(BEYOND, beyond)}"
        parts.append(f"{text[:1].upper()}{text[1:]}")
    if kd is None or not parts:
        return "**It cannot be told: KD, or the length of a teacher's or a bystander's classifier, is not known here.**"
    return f"**{kd.label} beside its teacher and the bystander: {'. '.join(parts)}.**"


def _said(by_side: Mapping[int, str], found: Estimate) -> str:
    return by_side[found.side] if len(found.values) >= stats.LEAST_RUNS else "which so few seeds do not decide"


NEARER = {1: "it is nearer to its teacher", 0: "no difference is seen", -1: "it is nearer to the bystander"}
BEYOND = {1: "more so", 0: "not more so", -1: "less so"}
