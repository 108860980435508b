"""What each freedom to align leaves of mu, beside the bystander, and over seeds."""

from collections.abc import Callable, Sequence

import numpy as np
import plotly.graph_objects as go

from kdnb.analysis import alignment, over_seeds
from kdnb.analysis.over_seeds import estimate
from kdnb.analysis.selection import Study
from kdnb.figures import intervals, mu_curves, style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.runs import Run

UNITS: dict[str, Callable[[Run], float]] = {
    "μ": lambda run: 1.0,
    "share of raw μ": lambda run: run.last("mu_raw"),
}
KINDS = {"raw": "as they are", "rotated": "rotated"}  # what is known of both teachers
VIEWS = {"μ": "of μ", "cosine": "of the cosine"}


# ---------------------------------------------------------------------------------------------------------- the ladder
@exhibit(
    "rungs-by-temperature",
    "Mu of the last epoch for each student: raw, centred, matched, permuted, rotated, and to the bystander.",
)
def ladder(study: Study) -> Exhibit:
    """Every mu of the last epoch, a point a student, a line through KD; a menu gives shares of raw mu."""
    fig = style.grid(1, 1, height=500)
    for column, (name, color, dash) in mu_curves.RUNGS.items():
        symbol = "circle-open" if column.startswith("bystander") else "circle"
        values = _in_unit(study.students, column, "μ")
        fig.add_trace(rung(study.students, values, name, {"color": color, "dash": dash, "width": 2}, symbol))
    fig.update_yaxes(title_text="μ", rangemode="tozero")
    intervals.axis(fig, [run.label for run in study.students])
    buttons = []
    for unit in UNITS:
        y = [_through_kd(study.students, _in_unit(study.students, column, unit))[1] for column in mu_curves.RUNGS]
        look = {"yaxis.title.text": unit, "yaxis.tickformat": "" if unit == "μ" else ".0%"}
        buttons.append({"label": unit, "method": "update", "args": [{"y": y}, look]})
    fig.update_layout(updatemenus=[style.menu(buttons, 1.03)], margin_t=110)
    return Exhibit(style.captioned(fig, study, f"epoch {study.epochs}"), ladder_sentence(study))


def rung(runs: Sequence[Run], values: Sequence[float], name: str, look: dict[str, object], symbol: str) -> go.Scatter:
    """One value a run over the names of the runs; the line joins KD alone."""
    x, y = _through_kd(runs, values)
    marker = {"color": look["color"], "symbol": symbol, "size": 8}
    hover = f"%{{x}}<br>{name}: %{{y:.3g}}<extra></extra>"
    return go.Scatter(x=x, y=y, name=name, mode="lines+markers", line=look, marker=marker, hovertemplate=hover)


def _through_kd(runs: Sequence[Run], values: Sequence[float]) -> tuple[list[str], list[float | None]]:
    """Points whose line has a gap before and after whatever is not KD: T orders KD alone."""
    x: list[str] = []
    y: list[float | None] = []
    for run, value in zip(runs, style.significant(values), strict=True):
        gap = 0 if run.spec.method == "kd" else 1
        x += [intervals.short(run.label)] * (1 + 2 * gap)
        y += [None] * gap + [value] + [None] * gap
    return x, y


def _in_unit(runs: Sequence[Run], column: str, unit: str) -> list[float]:
    sizes = [UNITS[unit](run) for run in runs]
    return [run.last(column) / size if size > 0 else np.nan for run, size in zip(runs, sizes, strict=True)]


def ladder_sentence(study: Study) -> str:
    """The range over students of what each freedom leaves of raw mu, and how near the bystander's values are."""
    shares = {
        name: [share for share in _in_unit(study.students, column, "share of raw μ") if np.isfinite(share)]
        for column, (name, *_) in mu_curves.RUNGS.items()
        if column != "mu_raw"
    }
    parts = [f"{name} {np.median(s):.0%} ({min(s):.0%} to {max(s):.0%})" for name, s in shares.items() if s]
    if not parts:
        return "None of these students has a μ to take apart."
    return (
        f"In units of a student's raw μ at the last epoch, at the median over {len(study.students)} students (least to "
        f"most): {style.joined(parts)}."
    )


# -------------------------------------------------------------------------------------------------- teacher, bystander


@exhibit(
    "mu-teacher-or-bystander",
    "Teacher minus bystander, of mu and of the cosine, for each student: mean and interval over seeds.",
    step="difference",
)
def sides(study: Study) -> Exhibit:
    """Teacher minus bystander, raw above, rotated below: of mu, and of the cosine, which knows no lengths."""
    return Exhibit({name: _sides(study, view) for view, name in VIEWS.items()}, sides_sentence(study))


def _sides(study: Study, view: str) -> go.Figure:
    fig = style.grid(2, 1, list(KINDS.values()), 560, shared_xaxes=True, vertical_spacing=0.09)
    labels = [run.label for run in study.students]
    for row, kind in enumerate(KINDS, start=1):
        look = {"color": style.TEACHER, "symbol": "circle"}
        found = over_seeds.estimates(alignment.differences(study, kind, view))
        for trace in intervals.points(found, "teacher − bystander", KINDS[kind], look):
            fig.add_trace(trace.update(showlegend=False), row, 1)
        fig.add_trace(intervals.level(labels, 0, "no difference", style.OTHER, "dot").update(showlegend=False), row, 1)
        intervals.axis(fig, labels, row=row)
    fig.update_xaxes(showticklabels=False, row=1)
    every = [run for group in over_seeds.groups(study).values() for run in group]
    return style.captioned(fig, study, f"teacher − bystander, {VIEWS[view]}, epoch {study.epochs}", every)


def sides_sentence(study: Study) -> str:
    """Whether KD's classifier points more towards its teacher's than to the bystander's, and than normal training's."""
    shown = [run.label for run in (study.nearest(4), study.get("normal")) if run]
    parts = []
    for kind, name in KINDS.items():
        found = alignment.differences(study, kind, "cosine")
        told = [f"**{label}** {intervals.told(np.array([*found[label].values()]))}" for label in shown if found[label]]
        if not told:
            continue
        part = f"{name.capitalize()}: {style.joined(told)}"
        beyond = [estimate(over_seeds.paired(found, found, run.label, "normal")) for run in study.kd.values()]
        if sides := [one.side for one in beyond if len(one.values) > 1]:
            part += (
                f"; by a whole 95 % interval, KD is above normal training of the same seed at {sides.count(1)} of "
                f"{len(sides)} temperatures and below it at {sides.count(-1)}"
            )
        parts.append(part)
    if not parts:
        return "A teacher or a bystander is not in this folder, so that the length of its classifier is not known."
    return f"The cosine with the teacher's classifier minus that with the bystander's, last epoch. {'. '.join(parts)}."
