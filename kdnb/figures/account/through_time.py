"""Chapter 9: the account of mu through time, by phase of the learning rate, and what only the teacher shows."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import over_seeds, stats
from kdnb.analysis.selection import Study
from kdnb.figures import intervals, style
from kdnb.figures.account import bars
from kdnb.figures.alignment.terms import amount
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.runs import Run

SUM = ("sum: μ² itself", style.TEACHER)
SETTLED = ("ce", "decay", "spread")  # the causes that are no distillation
WITHOUT = "KD and normal training were made here without an account of μ."
EXCESS = {
    "distillation": bars.COLORS["kd"][1],
    "cross-entropy": bars.COLORS["ce"][1],
    "weight decay": bars.COLORS["decay"][1],
    "all together": SUM[1],
}


def booked(run: Run, side: str = "") -> pd.DataFrame:
    """Change of mu^2 in each epoch by cause, ``side`` a key of account.SIDES; empty where there is no account."""
    prefix = f"{side}pull_"
    columns = {c: c.removeprefix(prefix) for c in run.history.columns if c.startswith(prefix)}
    names = {**columns, "spread": "spread"} if columns else {}
    table: pd.DataFrame = run.history.set_index("epoch")[list(names)].rename(columns=names)
    return table


def excess(run: Run) -> pd.DataFrame:
    """:func:`booked` to the teacher minus to the bystander, where the spread cancels; empty without a bystander."""
    teacher, other = booked(run), booked(run, "bystander_")
    return (teacher - other).drop(columns="spread") if len(other.columns) else other


# -------------------------------------------------------------------------------------------------------- through time
VIEWS: dict[str, Callable[[Run], pd.DataFrame]] = {
    "to the teacher": booked,
    "to the bystander": lambda run: booked(run, "bystander_"),
    "teacher − bystander": excess,
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
    taught = [str(cause) for cause in table if cause not in SETTLED] or ["kd"]
    known = table.cumsum()
    curves = known.reindex(columns=[*taught, *SETTLED]).assign(sum=known.sum(axis=1, min_count=1)).reset_index()
    looks = {cause: (*bars.cause_look(cause), 2) for cause in (*taught, *SETTLED)} | {"sum": (*SUM, 3)}
    return [
        style.curve(curves, cause, name, {"color": color, "width": width}, legendgroup=name)
        for cause, (name, color, width) in looks.items()
    ]


def through_sentence(study: Study) -> str:
    """When half of what distillation adds over the training was there, and what it came to with everything else."""
    return " ".join(_course(run) for run in _told(study)) or WITHOUT


def _told(study: Study) -> list[Run]:
    """KD at T = 4 and normal training, where there is an account."""
    return [run for run in (study.nearest(4), study.get("normal")) if run and len(booked(run).columns)]


def _course(run: Run) -> str:
    table = booked(run)
    totals = table.sum()
    most = _largest(totals)
    sums = table[most].cumsum().abs().to_numpy()
    half = run.history["epoch"].to_numpy()[sums >= sums[-1] / 2].min()
    text = (
        f"For **{run.label}** the largest sum is that of {bars.cause_look(most)[0]}, {amount(totals[most])}; half "
        f"of it was there after epoch {half} of {run.spec.epochs}. All causes together come to {amount(totals.sum())}"
    )
    only = excess(run)
    beside = f"; teacher minus bystander, {amount(only.to_numpy().sum())}" if len(only.columns) else ""
    return f"{text}{beside}."


def _largest(changes: pd.Series) -> str:
    """The cause that moved mu^2 most, either way."""
    return str(changes.abs().idxmax())


# ------------------------------------------------------------------------------------------------------------ by phase
def phases(run: Run) -> dict[str, tuple[int, int]]:
    """First and last epoch of each phase of constant learning rate, by their name."""
    ends = sorted({*(drop for drop in run.spec.drops if drop < run.spec.epochs), run.spec.epochs})
    starts = [1, *(end + 1 for end in ends[:-1])]
    return {f"epochs {first}–{last}": (first, last) for first, last in zip(starts, ends, strict=True)}


def moved(run: Run, span: tuple[int, int]) -> pd.Series:
    """Change of mu^2 by cause within the epochs of ``span``, first and last."""
    first, last = span
    table = booked(run)
    found: pd.Series = table[(table.index >= first) & (table.index <= last)].sum()
    return found


def shares(run: Run, span: tuple[int, int]) -> pd.Series:
    """:func:`moved` over the sum of the sizes of all causes."""
    found = moved(run, span)
    return found / found.abs().sum()


@exhibit(
    "causes-by-phase",
    "For each phase of the learning rate, a stacked bar a student: shares of the causes that moved squared mu.",
)
def by_phase(study: Study) -> Exhibit:
    """A panel a phase: shares of the causes, stacked, a bar a student; a diamond where they add up."""
    runs = study.students
    spans = phases(runs[0])
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
    table = pd.DataFrame([shares(run, span) for run in runs], index=labels)
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
    for name, span in phases(run).items():
        found = moved(run, span)
        most = _largest(found)
        parts.append(
            f"in {name} {bars.cause_look(most)[0]} ({amount(found[most])}, all together {amount(found.sum())})"
        )
    return f"What moved μ² of **{run.label}** most: {', '.join(parts)}."


# -------------------------------------------------------------------------------------------------- teacher, bystander
PARTS: dict[str, Callable[[pd.Series], pd.Series]] = {
    "distillation": lambda sums: sums.drop([cause for cause in sums.index if cause in SETTLED]),
    "cross-entropy": lambda sums: sums.filter(["ce"]),
    "weight decay": lambda sums: sums.filter(["decay"]),
    "all together": lambda sums: sums,
}


Excesses = Mapping[str, Mapping[str, Mapping[int, float]]]


def excesses(study: Study) -> Excesses:
    """By part of PARTS, label and seed: the sum over the training of :func:`excess`."""
    every = [run for runs in over_seeds.groups(study).values() for run in runs]
    sums = {run.path: excess(run).sum() for run in every}

    def of(run: Run, part: str) -> float | None:
        found = PARTS[part](sums[run.path])
        return float(found.sum()) if len(found) else None

    return {part: over_seeds.collect(study, partial(of, part=part)) for part in PARTS}


@exhibit(
    "excess-by-temperature",
    "Pull to the teacher minus pull to the bystander by cause for each student, mean and interval over seeds.",
)
def excess_by_temperature(study: Study, found: Excesses) -> Exhibit:
    """A panel a part of PARTS, each on its own scale: what only the teacher shows, each student over its seeds."""
    fig = style.grid(len(PARTS), 1, list(PARTS), 760, shared_xaxes=True, vertical_spacing=0.05)
    labels = [run.label for run in study.students]
    for row, (part, values) in enumerate(found.items(), start=1):
        look = {"color": EXCESS[part], "symbol": "circle"}
        for trace in intervals.points(values, part, "teacher − bystander", look):
            fig.add_trace(trace.update(showlegend=False), row, 1)
        fig.add_trace(intervals.level(labels, 0, "no difference", style.OTHER, "dot").update(showlegend=False), row, 1)
        intervals.axis(fig, labels, row=row)
    fig.update_xaxes(showticklabels=False).update_xaxes(showticklabels=True, row=len(PARTS))
    every = [run for runs in over_seeds.groups(study).values() for run in runs]
    return Exhibit(
        style.captioned(fig, study, "change of μ² to the teacher less that to the bystander", every),
        excess_sentence(study, found),
    )


def excess_sentence(study: Study, found: Excesses) -> str:
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


def _leave_out(found: Excesses, kd: Mapping[str, float]) -> str:
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
