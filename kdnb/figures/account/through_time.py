"""The account of mu through time, and what only the teacher shows."""

from collections.abc import Callable

import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import accounts, over_seeds, words
from kdnb.analysis.study import Study
from kdnb.figures import intervals, style
from kdnb.figures.account import bars
from kdnb.figures.alignment.terms import amount
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.runs import Run

SUM = ("sum: μ² itself", style.TEACHER)
EXCESS = {
    "distillation": bars.COLORS["kd"][1],
    "cross-entropy": bars.COLORS["ce"][1],
    "weight decay": bars.COLORS["decay"][1],
    "all together": SUM[1],
}


# -------------------------------------------------------------------------------------------------------- through time
VIEWS: dict[str, Callable[[Run], pd.DataFrame]] = {
    "to the teacher": accounts.booked,
    "teacher − bystander": accounts.excess,
}


@exhibit(
    "causes-through-time",
    "Sums of each cause's change of squared mu over the epochs: to the teacher, and what the bystander lacks.",
    step="student",
)
def through(study: Study) -> Exhibit:
    """One figure a student: sums since the first epoch by cause; to the teacher, and teacher minus bystander."""
    start = study.leading
    figures = {run.label: _through(study, run) for run in study.students}
    return Exhibit(figures, answer=through_sentence(start), start=start.label)


def _through(study: Study, run: Run) -> go.Figure:
    fig = style.grid(2, 1, list(VIEWS), 560, shared_xaxes=True, vertical_spacing=0.08)
    for row, read in enumerate(VIEWS.values(), start=1):
        for trace in _sums(read(run)):
            fig.add_trace(trace.update(showlegend=row == 1), row, 1)
    fig.update_xaxes(title_text="epoch", row=2)
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


def through_sentence(run: Run) -> str:
    """Which cause moved mu of ``run`` most, when half of that was there, and what is left of all together."""
    table, only = accounts.booked(run), accounts.excess(run)
    if table.columns.empty:
        return f"**It cannot be told: {run.label} was trained without an account of μ.**"
    totals = table.sum()
    most = str(totals.abs().idxmax())
    sums = table[most].cumsum().abs().to_numpy()
    half = run.history["epoch"].to_numpy()[sums >= sums[-1] / 2].min()
    against = totals[totals * totals[most] < 0]
    back = str(against.abs().idxmax()) if len(against) else ""
    other = f", moved back most by {bars.cause_look(back)[0]} ({amount(totals[back])})" if back else ""
    lacks = f", to the bystander to {amount(totals.sum() - only.to_numpy().sum())}" if len(only.columns) else ""
    when = "Early" if half <= run.spec.epochs / 2 else "Late"
    return (
        f"**{when}: of {run.label}, seed {run.spec.init_seed}, most is moved by {bars.cause_look(most)[0]} "
        f"({amount(totals[most])}), half of it by epoch {half} of {run.spec.epochs}{other}; all causes together "
        f"come to {amount(totals.sum())}{lacks}.**"
    )


# -------------------------------------------------------------------------------------------------- teacher, bystander


@exhibit(
    "excess-by-temperature",
    "Pull to the teacher minus pull to the bystander by cause for each student, mean and interval over seeds.",
)
def excess_by_temperature(study: Study, *others: Study) -> Exhibit:
    """A panel a part of PARTS, each on its own scale: what only the teacher shows, each student over its seeds.

    others: of which the answer tells as well
    """
    found = {one.name: accounts.excesses(one) for one in (study, *others)}
    fig = style.grid(len(accounts.PARTS), 1, list(accounts.PARTS), 760, shared_xaxes=True, vertical_spacing=0.05)
    labels = list(study.groups)
    for row, (part, values) in enumerate(found[study.name].items(), start=1):
        look = {"color": EXCESS[part], "symbol": "circle"}
        for trace in intervals.points(over_seeds.estimates(values), part, "teacher − bystander", look):
            fig.add_trace(trace.update(showlegend=False), row, 1)
        fig.add_trace(intervals.level(labels, 0, "no difference", style.OTHER, "dot").update(showlegend=False), row, 1)
        intervals.axis(fig, labels, row=row)
    fig.update_xaxes(showticklabels=False).update_xaxes(showticklabels=True, row=len(accounts.PARTS))
    what = "μ², teacher − bystander"
    answer = words.sentence("; ".join(drawn(one, found[one.name]) for one in (study, *others)))
    return Exhibit(style.captioned(fig, study, what, study.shown), answer=answer)


def drawn(study: Study, found: accounts.Excesses) -> str:
    """At how many temperatures distillation draws a student to its own teacher, beyond chance, in a clause."""
    kd = [run.label for run in study.kd.values()]
    pulls = over_seeds.estimates({label: v for label, v in found["distillation"].items() if label in kd})
    enough = {label: one for label, one in pulls.items() if one.enough}
    if not enough:
        return (
            f"it cannot be told on {study.name}, where no KD student has three seeds with an account beside a bystander"
        )
    off = intervals.off_zero({intervals.short(label): one for label, one in enough.items()}, "temperature")
    drawing = [label for label, one in enough.items() if one.side < 0]
    if not (drawing and over_seeds.more_than_chance(enough.values(), -1)):
        return f"not seen on {study.name}, where the interval leaves out zero at {off}"
    least = min(drawing, key=lambda label: enough[label].mean)
    where = f"at {intervals.short(least)}, where the pull is least, it is {enough[least].told('{:+.3g}')}"
    return f"yes on {study.name}, where the interval leaves out zero at {off}; {where}"
