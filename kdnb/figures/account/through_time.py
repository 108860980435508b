"""Chapter 9: the account of mu through time, by phase of the learning rate, and what only the teacher shows."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import accounts, over_seeds, stats
from kdnb.analysis.selection import Study
from kdnb.figures import intervals, style
from kdnb.figures.account import bars
from kdnb.figures.alignment.terms import amount
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.runs import Run

SUM = ("sum: μ² itself", style.TEACHER)
WITHOUT = "KD and normal training were made here without an account of μ."
EXCESS = {
    "distillation": bars.COLORS["kd"][1],
    "cross-entropy": bars.COLORS["ce"][1],
    "weight decay": bars.COLORS["decay"][1],
    "all together": SUM[1],
}


# -------------------------------------------------------------------------------------------------------- through time
VIEWS: dict[str, Callable[[Run], pd.DataFrame]] = {
    "to the teacher": accounts.booked,
    "to the bystander": lambda run: accounts.booked(run, "bystander_"),
    "teacher − bystander": accounts.excess,
}


@exhibit(
    "causes-through-time",
    "Sums of each cause's change of squared mu over the epochs: to teacher, to bystander, their difference.",
    step="student",
)
def through(study: Study) -> Exhibit:
    """One figure a student: sums since the first epoch by cause; to the teacher, to the bystander, their difference."""
    return Exhibit({run.label: _through(study, run) for run in study.students}, through_sentence(study))


def _through(study: Study, run: Run) -> go.Figure:
    fig = style.grid(3, 1, list(VIEWS), 720, shared_xaxes=True, vertical_spacing=0.06)
    for row, read in enumerate(VIEWS.values(), start=1):
        for trace in _sums(read(run)):
            fig.add_trace(trace.update(showlegend=row == 1), row, 1)
    fig.update_yaxes(matches="y", row=2)
    fig.update_xaxes(title_text="epoch", row=3)
    style.mark_drops(fig, run)
    return style.captioned(fig, study, f"{run.label}, change of μ²", [run])


def _sums(table: pd.DataFrame) -> list[go.Scatter]:
    """A curve a cause, distillation first whether it is there or not (steps alike share more), and their sum on top."""
    taught = [str(cause) for cause in table if cause not in accounts.SETTLED] or ["kd"]
    known = table.cumsum()
    curves = (
        known.reindex(columns=[*taught, *accounts.SETTLED]).assign(sum=known.sum(axis=1, min_count=1)).reset_index()
    )
    looks = {cause: (*bars.cause_look(cause), 2) for cause in (*taught, *accounts.SETTLED)} | {"sum": (*SUM, 3)}
    return [
        style.curve(curves, cause, name, {"color": color, "width": width}, legendgroup=name)
        for cause, (name, color, width) in looks.items()
    ]


def through_sentence(study: Study) -> str:
    """When half of what distillation adds over the training was there, and what it came to with everything else."""
    return " ".join(_course(run) for run in _told(study)) or WITHOUT


def _told(study: Study) -> list[Run]:
    """KD at T = 4 and normal training, where there is an account."""
    return [run for run in (study.nearest(4), study.get("normal")) if run and len(accounts.booked(run).columns)]


def _course(run: Run) -> str:
    table = accounts.booked(run)
    totals = table.sum()
    most = _largest(totals)
    sums = table[most].cumsum().abs().to_numpy()
    half = run.history["epoch"].to_numpy()[sums >= sums[-1] / 2].min()
    text = (
        f"For **{run.label}** the largest sum is that of {bars.cause_look(most)[0]}, {amount(totals[most])}; half "
        f"of it was there after epoch {half} of {run.spec.epochs}. All causes together come to {amount(totals.sum())}"
    )
    only = accounts.excess(run)
    beside = f"; teacher minus bystander, {amount(only.to_numpy().sum())}" if len(only.columns) else ""
    return f"{text}{beside}."


def _largest(changes: pd.Series) -> str:
    """The cause that moved mu^2 most, either way."""
    return str(changes.abs().idxmax())


# ------------------------------------------------------------------------------------------------------------ by phase


@exhibit(
    "causes-by-phase",
    "For each phase of the learning rate, a stacked bar a student: shares of the causes that moved squared mu.",
)
def by_phase(study: Study) -> Exhibit:
    """A panel a phase: shares of the causes, stacked, a bar a student; a diamond where they add up."""
    runs = study.students
    spans = accounts.phases(runs[0])
    fig = style.grid(len(spans), 1, list(spans), 180 * len(spans) + 80, shared_xaxes=True, vertical_spacing=0.05)
    seen: set[str] = set()
    for row, span in enumerate(spans.values(), start=1):
        for trace in _stack(runs, span):
            fig.add_trace(trace.update(showlegend=trace.name not in seen), row, 1)
            seen.add(trace.name)
        intervals.axis(fig, [run.label for run in runs], row=row)
    fig.update_xaxes(showticklabels=False).update_xaxes(showticklabels=True, row=len(spans))
    fig.update_yaxes(tickformat=".0%", range=[-1.06, 1.06], tickvals=[-1, -0.5, 0, 0.5, 1])
    fig.update_layout(barmode="relative")
    return Exhibit(style.captioned(fig, study, "share of all that moved μ²", runs), phase_sentence(study))


def _stack(runs: Sequence[Run], span: tuple[int, int]) -> list[go.Bar | go.Scatter]:
    labels = [intervals.short(run.label) for run in runs]
    table = pd.DataFrame([accounts.shares(run, span) for run in runs], index=labels)
    marks: list[go.Bar | go.Scatter] = []
    there = [str(cause) for cause in table]
    for cause in [*(c for c in bars.COLORS if c in there), *(c for c in there if c not in bars.COLORS)]:
        name, color = bars.cause_look(cause)
        hover = f"%{{x}}<br>{name}: %{{y:.1%}}<extra></extra>"
        y = style.significant(table[cause], 3)
        marks.append(go.Bar(x=labels, y=y, name=name, marker_color=color, legendgroup=name, hovertemplate=hover))
    look = {"symbol": "diamond", "size": 7, "color": "#ffffff", "line": {"color": "#1b1f24", "width": 1.5}}
    y = style.significant(table.sum(axis=1, min_count=1), 3)
    hover = "%{x}<br>sum: %{y:.1%}<extra></extra>"
    net = go.Scatter(x=labels, y=y, name="sum", mode="markers", marker=look, legendgroup="sum", hovertemplate=hover)
    return [*marks, net]


def phase_sentence(study: Study) -> str:
    """Which cause moved mu most in which phase, and what was left when all were added."""
    return " ".join(_phases_of(run) for run in _told(study)) or WITHOUT


def _phases_of(run: Run) -> str:
    parts = []
    for name, span in accounts.phases(run).items():
        found = accounts.moved(run, span)
        most = _largest(found)
        parts.append(
            f"in {name} {bars.cause_look(most)[0]} ({amount(found[most])}, all together {amount(found.sum())})"
        )
    return f"What moved μ² of **{run.label}** most: {', '.join(parts)}."


# -------------------------------------------------------------------------------------------------- teacher, bystander


@exhibit(
    "excess-by-temperature",
    "Pull to the teacher minus pull to the bystander by cause for each student, mean and interval over seeds.",
)
def excess_by_temperature(study: Study, found: accounts.Excesses) -> Exhibit:
    """A panel a part of PARTS, each on its own scale: what only the teacher shows, each student over its seeds."""
    fig = style.grid(len(accounts.PARTS), 1, list(accounts.PARTS), 760, shared_xaxes=True, vertical_spacing=0.05)
    labels = [run.label for run in study.students]
    for row, (part, values) in enumerate(found.items(), start=1):
        look = {"color": EXCESS[part], "symbol": "circle"}
        for trace in intervals.points(over_seeds.estimates(values), part, "teacher − bystander", look):
            fig.add_trace(trace.update(showlegend=False), row, 1)
        fig.add_trace(intervals.level(labels, 0, "no difference", style.OTHER, "dot").update(showlegend=False), row, 1)
        intervals.axis(fig, labels, row=row)
    fig.update_xaxes(showticklabels=False).update_xaxes(showticklabels=True, row=len(accounts.PARTS))
    every = [run for runs in over_seeds.groups(study).values() for run in runs]
    return Exhibit(
        style.captioned(fig, study, "change of μ² to the teacher less that to the bystander", every),
        excess_sentence(study, found),
    )


def excess_sentence(study: Study, found: accounts.Excesses) -> str:
    """At which T distillation pulls hardest to its own teacher, and how many intervals leave out zero."""
    kd = {run.label: t for t, run in study.kd.items()}
    means = {label: np.mean([*v.values()]) for label, v in found["distillation"].items() if label in kd and v}
    if not means:
        return "No KD student here was trained with an account of μ beside a bystander."
    least = min(means, key=means.__getitem__)
    told = intervals.told(np.array([*found["distillation"][least].values()]))
    text = (
        "The pull of distillation to the teacher minus that to the bystander (negative: towards this teacher) is least "
        f"at **T = {kd[least]:g}**: {told}. {_leave_out(found, kd)}"
    )
    normal = np.array([*found["all together"].get("normal", {}).values()])
    return f"{text} Normal training, which saw neither, has {intervals.told(normal)} all together."


def _leave_out(found: accounts.Excesses, kd: Mapping[str, float]) -> str:
    """How many temperatures have an interval on one side of zero, for distillation and for everything together."""
    parts = []
    for part in ("distillation", "all together"):
        values = [np.array([*v.values()]) for label, v in found[part].items() if label in kd and len(v) > 1]
        ends = [stats.mean_interval(one) for one in values]
        below, above = sum(high < 0 for _, high in ends), sum(low > 0 for low, _ in ends)
        if ends:
            parts.append(f"for {part} below zero at {below} and above at {above} of {len(ends)} temperatures")
    if not parts:
        return "With fewer than three seeds there is no interval."
    return f"The whole 95 % interval over seeds is {style.joined(parts)}."
