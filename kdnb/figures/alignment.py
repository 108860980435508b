"""Chapter 8: what each freedom to align leaves of mu, beside the bystander, and over seeds."""

from collections.abc import Callable, Sequence

import numpy as np
import plotly.graph_objects as go

from kdnb import stats
from kdnb.figures import mu, spread, style
from kdnb.figures.source import Study
from kdnb.runs import Run

UNITS: dict[str, Callable[[Run], float]] = {"μ": lambda run: 1.0, "share of raw μ": lambda run: mu.last("mu_raw", run)}
KINDS = {"raw": "μ raw", "rotated": "μ rotated"}  # what is known of both teachers
VIEWS = {"as it is": False, "less that of normal training": True}


# ---------------------------------------------------------------------------------------------------------- the ladder
def ladder(study: Study) -> go.Figure:
    """Every mu of the last epoch, a point a student, a line through KD; a menu gives shares of raw mu."""
    fig = style.grid(1, 1, height=500)
    for column, (name, color, dash) in mu.RUNGS.items():
        symbol = "circle-open" if column.startswith("bystander") else "circle"
        values = _in_unit(study.students, column, "μ")
        fig.add_trace(rung(study.students, values, name, {"color": color, "dash": dash, "width": 2}, symbol))
    fig.update_yaxes(title_text="μ", rangemode="tozero")
    spread.axis(fig, [run.label for run in study.students])
    fig.update_layout(updatemenus=[_unit_menu(study.students)], margin_t=110)
    return style.captioned(fig, study, f"epoch {study.epochs}")


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
        x += [spread.short(run.label)] * (1 + 2 * gap)
        y += [None] * gap + [value] + [None] * gap
    return x, y


def _in_unit(runs: Sequence[Run], column: str, unit: str) -> list[float]:
    sizes = [UNITS[unit](run) for run in runs]
    return [mu.last(column, run) / size if size > 0 else np.nan for run, size in zip(runs, sizes, strict=True)]


def _unit_menu(runs: Sequence[Run]) -> dict[str, object]:
    buttons = []
    for unit in UNITS:
        y = [_through_kd(runs, _in_unit(runs, column, unit))[1] for column in mu.RUNGS]
        look = {"yaxis.title.text": unit, "yaxis.tickformat": "" if unit == "μ" else ".0%"}
        buttons.append({"label": unit, "method": "update", "args": [{"y": y}, look]})
    return {"buttons": buttons, "x": 0, "xanchor": "left", "y": 1.03, "yanchor": "bottom"}


def ladder_sentence(study: Study) -> str:
    """The range over students of what each freedom leaves of raw mu, and how near the bystander's values are."""
    shares = {
        name: [share for share in _in_unit(study.students, column, "share of raw μ") if np.isfinite(share)]
        for column, (name, *_) in mu.RUNGS.items()
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
def difference(run: Run, kind: str) -> float | None:
    """mu to the teacher minus mu to the bystander, last epoch; None where either is unknown."""
    found = mu.last(f"mu_{kind}", run) - mu.last(f"bystander_mu_{kind}", run)
    return found if np.isfinite(found) else None


def differences(study: Study, kind: str, *, beyond: bool = False) -> dict[str, dict[int, float]]:
    """:func:`difference` by label and seed; ``beyond``: less that of normal training of the same seed."""
    found = spread.collect(study, lambda run: difference(run, kind))
    if not beyond:
        return found
    normal = found.pop("normal", {})
    return {label: {s: v - normal[s] for s, v in values.items() if s in normal} for label, values in found.items()}


def sides(study: Study) -> tuple[list[go.Figure], list[str]]:
    """Teacher minus bystander, raw above, rotated below: as it is, and less normal training of the same seed."""
    return [_sides(study, view) for view in VIEWS], list(VIEWS)


def _sides(study: Study, view: str) -> go.Figure:
    fig = style.grid(2, 1, list(KINDS.values()), 560, shared_xaxes=True, vertical_spacing=0.09)
    labels = [run.label for run in study.students]
    for row, kind in enumerate(KINDS, start=1):
        values = differences(study, kind, beyond=VIEWS[view])
        color = {"color": style.TEACHER, "symbol": "circle"}
        for trace in spread.points(values, "teacher − bystander", KINDS[kind], color):
            fig.add_trace(trace.update(showlegend=False), row, 1)
        fig.add_trace(spread.level(labels, 0, "no difference", style.OTHER, "dot").update(showlegend=False), row, 1)
        spread.axis(fig, labels, row=row)
    fig.update_xaxes(showticklabels=False, row=1)
    fig.update_yaxes(title_text="teacher − bystander")
    every = [run for runs in spread.groups(study).values() for run in runs]
    return style.captioned(fig, study, f"epoch {study.epochs}; {view}", every)


def sides_sentence(study: Study) -> str:
    """Whether KD's mu is nearer to its teacher's than to the bystander's, and nearer than normal training gets."""
    known = differences(study, "raw")
    labels = [run.label for run in (study.nearest(4), study.get("normal")) if run and known.get(run.label)]
    if not labels:
        return "No student here was measured beside a bystander."
    parts = [f"for **{label}** {spread.told(np.array([*known[label].values()]))}" for label in labels]
    text = f"Raw μ to the teacher minus raw μ to the bystander at the last epoch is {style.joined(parts)}."
    return f"{text} {_beyond(study)}"


def _beyond(study: Study) -> str:
    """What KD has beyond normal training, over T, and how many intervals leave out zero, which way."""
    kd = {run.label for run in study.kd.values()}
    parts = []
    for kind, name in KINDS.items():
        found = differences(study, kind, beyond=True)
        values = [np.array([*found[label].values()]) for label in found if label in kd and len(found[label]) > 1]
        if values:
            below, above = (sum(ends) for ends in zip(*[_apart(one) for one in values], strict=True))
            middle = f"{np.median([one.mean() for one in values]):+.3f}".replace("-", "−")
            parts.append(f"{middle} for **{name}** ({below} below zero, {above} above, of {len(values)})")
    if not parts:
        return "One seed has no interval: train another to say more."
    return (
        f"Less that of normal training of the same seed it is, at the median over T, {style.joined(parts)}; in "
        "brackets, at how many temperatures the whole 95 % interval lies on one side of zero."
    )


def _apart(values: np.ndarray) -> tuple[bool, bool]:
    """Whether the interval of the mean is below zero, and whether it is above."""
    low, high = stats.mean_interval(values)
    return high < 0, low > 0
