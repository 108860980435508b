"""The account of mu through time, by phase of the learning rate, and what only the teacher shows."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import accounts, over_seeds
from kdnb.analysis.selection import Study
from kdnb.figures import intervals, style
from kdnb.figures.account import bars
from kdnb.figures.alignment.terms import amount
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.runs import Run

SUM = ("sum: μ² itself", style.TEACHER)
WITHOUT = "KD and normal training were made here without an account of μ."
NO_INTERVAL = "With fewer than three seeds there is no interval."
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
    said = []
    for run in _told(study):
        table, only = accounts.booked(run), accounts.excess(run)
        totals = table.sum()
        most = str(totals.abs().idxmax())
        sums = table[most].cumsum().abs().to_numpy()
        half = run.history["epoch"].to_numpy()[sums >= sums[-1] / 2].min()
        beside = f"; teacher minus bystander, {amount(only.to_numpy().sum())}" if len(only.columns) else ""
        said.append(
            f"For **{run.label}** the largest sum is that of {bars.cause_look(most)[0]}, {amount(totals[most])}; half "
            f"of it was there after epoch {half} of {run.spec.epochs}. All causes together come to "
            f"{amount(totals.sum())}{beside}."
        )
    return " ".join(said) or WITHOUT


def _told(study: Study) -> list[Run]:
    """KD at T = 4 and normal training, where there is an account."""
    return [run for run in (study.nearest(4), study.get("normal")) if run and len(accounts.booked(run).columns)]


# ------------------------------------------------------------------------------------------------------------ by phase


@exhibit(
    "causes-by-phase",
    "For each phase of the learning rate, a stacked bar a student: shares of the causes that moved squared mu.",
)
def by_phase(study: Study) -> Exhibit:
    """A panel a phase: shares of the causes, stacked, a bar a student; a diamond where they add up."""
    runs = study.students
    spans, labels = accounts.phases(runs[0]), [intervals.short(run.label) for run in runs]
    fig = style.grid(len(spans), 1, list(spans), 180 * len(spans) + 80, shared_xaxes=True, vertical_spacing=0.05)
    seen: set[str] = set()
    for row, span in enumerate(spans.values(), start=1):
        shares = pd.DataFrame([accounts.shares(run, span) for run in runs], index=labels)
        for trace in bars.stacked(shares, ".1%", 3, 7):
            fig.add_trace(trace.update(showlegend=trace.name not in seen), row, 1)
            seen.add(trace.name)
        intervals.axis(fig, labels, row=row)
    fig.update_xaxes(showticklabels=False).update_xaxes(showticklabels=True, row=len(spans))
    fig.update_yaxes(tickformat=".0%", range=[-1.06, 1.06], tickvals=[-1, -0.5, 0, 0.5, 1])
    fig.update_layout(barmode="relative")
    return Exhibit(style.captioned(fig, study, "share of all that moved μ²", runs), phase_sentence(study))


def phase_sentence(study: Study) -> str:
    """Which cause moved mu most in which phase, and what was left when all were added."""
    said = []
    for run in _told(study):
        parts = []
        for name, span in accounts.phases(run).items():
            moved = accounts.moved(run, span)
            most = str(moved.abs().idxmax())
            parts.append(
                f"in {name} {bars.cause_look(most)[0]} ({amount(moved[most])}, all together {amount(moved.sum())})"
            )
        said.append(f"What moved μ² of **{run.label}** most: {', '.join(parts)}.")
    return " ".join(said) or WITHOUT


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
    pulls = {label: np.array([*v.values()]) for label, v in found["distillation"].items() if label in kd and v}
    if not pulls:
        return "No KD student here was trained with an account of μ beside a bystander."
    least = min(pulls, key=lambda label: pulls[label].mean())
    parts = []
    for part in ("distillation", "all together"):
        estimates = over_seeds.estimates({label: values for label, values in found[part].items() if label in kd})
        sides = [one.side for one in estimates.values() if len(one.values) > 1]
        if sides:
            below, above = sides.count(-1), sides.count(1)
            parts.append(f"for {part} below zero at {below} and above at {above} of {len(sides)} temperatures")
    whole = f"The whole 95 % interval over seeds is {style.joined(parts)}." if parts else NO_INTERVAL
    normal = np.array([*found["all together"].get("normal", {}).values()])
    return (
        "The pull of distillation to the teacher minus that to the bystander (negative: towards this teacher) is least "
        f"at **T = {kd[least]:g}**: {intervals.told(pulls[least])}. {whole} Normal training, which saw neither, has "
        f"{intervals.told(normal)} all together."
    )
