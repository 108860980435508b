"""Chapter 10: r of mu and the loss with the run as the unit of evidence: a value a seed, intervals over seeds."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import stats
from kdnb.analysis.correlations import SIDES
from kdnb.analysis.selection import Study
from kdnb.claims import controls
from kdnb.figures import style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.runs import Run

TEACHER, BYSTANDER = SIDES
LOOKS = {TEACHER: (style.TEACHER, "circle"), BYSTANDER: (style.BYSTANDER, "circle-open")}


@dataclass(frozen=True)
class OverSeeds:
    """One number of one student: a value a seed, their mean, and its 95 % interval (nan with fewer than two)."""

    values: Sequence[float]
    mean: float
    low: float
    high: float

    @property
    def between(self) -> str:
        """The interval in words, or that there is none."""
        known = np.isfinite(self.low) and np.isfinite(self.high)
        return f"{self.low:.3f} to {self.high:.3f}".replace("-", "−") if known else "no interval"

    @property
    def side(self) -> int:
        """1 or -1 where the interval leaves out zero; 0 where it does not, or rests on fewer than three seeds."""
        if len(self.values) < stats.LEAST_RUNS:
            return 0
        return int(self.low > 0) - int(self.high < 0)


@dataclass(frozen=True)
class Measured:
    """One study's r: ``table`` has a row a run, with label, seed, a column each of SIDES and controls.READINGS."""

    name: str
    study: Study
    table: pd.DataFrame

    @property
    def labels(self) -> list[str]:
        """Of the students, in the order of figures."""
        return list(dict.fromkeys(self.table["label"]))

    @property
    def enough(self) -> list[str]:
        """Labels of the students that have three seeds or more."""
        return [label for label in self.labels if (self.table["label"] == label).sum() >= stats.LEAST_RUNS]

    @property
    def runs(self) -> list[Run]:
        """All that are measured."""
        return [run for runs in by_label(self.study).values() for run in runs]

    def of(self, label: str, column: str) -> OverSeeds:
        """An r of one student over its seeds, on Fisher's scale."""
        return over_seeds(self._values(label, column), stats.mean_correlation, stats.mean_correlation_interval)

    def difference(self, label: str) -> OverSeeds:
        """r with mu to the teacher less r with mu to the bystander, run by run."""
        gaps = self._values(label, TEACHER) - self._values(label, BYSTANDER)
        return over_seeds(gaps, lambda values: float(np.mean(values)) if len(values) else np.nan, stats.mean_interval)

    def _values(self, label: str, column: str) -> pd.Series:
        return self.table.loc[self.table["label"] == label, column]


def over_seeds(
    values: pd.Series, mean: Callable[[list[float]], float], interval: Callable[[list[float]], tuple[float, float]]
) -> OverSeeds:
    """Values that are finite, and what ``mean`` and ``interval`` say of them."""
    known = [float(value) for value in values if np.isfinite(value)]
    return OverSeeds(known, mean(known), *interval(known))


# ------------------------------------------------------------------------------------------------------------ reading
def by_label(study: Study) -> dict[str, list[Run]]:
    """The runs of all seeds that differ in nothing else, by label; without students that have no mu."""
    every = {run.label: study.by_seeds.get(run.label, [run]) for run in study.students}
    return {label: runs for label, runs in every.items() if all("mu_raw" in run.history for run in runs)}


def measured(studies: Mapping[str, Study]) -> list[Measured]:
    """Every study's r after its warm-up, run by run."""
    return [Measured(name, study, _table(study)) for name, study in studies.items()]


def _table(study: Study) -> pd.DataFrame:
    rows = [_row(study, run) for runs in by_label(study).values() for run in runs]
    return pd.DataFrame(rows, columns=["label", "seed", *SIDES, *controls.READINGS])


def _row(study: Study, run: Run) -> dict[str, Any]:
    table = run.after(study.warm_up)
    curves = controls.of_run(table, run.spec.drops)
    r = {name: reading(curves) for name, reading in controls.READINGS.items()}
    sides = {column: stats.r_with_loss(table, column) for column in SIDES}
    return {"label": run.label, "seed": run.spec.init_seed, **sides, **r}


# ------------------------------------------------------------------------------------------------------------ drawing
@exhibit(
    "seeds-r",
    "r of mu and loss of each student, teacher beside bystander: a dot a seed, the mean and its interval.",
    step="study",
)
def r(found: Sequence[Measured]) -> Exhibit:
    """r of every student, a figure a study."""
    return Exhibit({one.name: _r(one) for one in found}, sentence(found))


@exhibit(
    "seeds-difference",
    "r with mu to the teacher less r with mu to the bystander, by student: a dot a seed, mean and interval.",
    step="study",
)
def differences(found: Sequence[Measured]) -> Exhibit:
    """What the teacher has beyond the bystander, a figure a study."""
    return Exhibit({one.name: _differences(one) for one in found}, difference_sentence(found))


@exhibit(
    "seeds-readings",
    "Four panels: the paper's r, r within phases, of changes, and with the norm fixed, by student, over seeds.",
    step="study",
)
def readings(found: Sequence[Measured]) -> Exhibit:
    """Four readings of the same r, a figure a study."""
    return Exhibit({one.name: _readings(one) for one in found}, readings_sentence(found))


def _r(one: Measured) -> go.Figure:
    """r of every student, teacher beside bystander: a small dot a seed, the mean with its interval."""
    fig = style.grid(1, 1, height=460)
    for column, name in SIDES.items():
        color, symbol = LOOKS[column]
        shown = {label: one.of(label, column) for label in one.labels}
        for trace in _traces(shown, name, color, symbol):
            fig.add_trace(trace.update(offsetgroup=column))
    fig.update_layout(scattermode="group", scattergap=0.4)
    fig.update_yaxes(title_text="Pearson r of μ raw and loss", range=[-1.08, 1.08])
    return _finished(fig, one)


def _differences(one: Measured) -> go.Figure:
    """r with mu to the teacher less r with mu to the bystander, paired by run."""
    fig = style.grid(1, 1, height=420)
    shown = {label: one.difference(label) for label in one.labels}
    fig.add_traces(_traces(shown, "r(teacher) − r(bystander)", style.TEACHER))
    fig.update_yaxes(title_text="r(teacher) − r(bystander)")
    return _finished(fig.update_layout(showlegend=False), one)


def _readings(one: Measured) -> go.Figure:
    """The four readings of the same r, one panel each."""
    titles = [name[0].upper() + name[1:] for name in controls.READINGS]
    fig = style.grid(len(titles), 1, titles, 820, shared_xaxes=True, vertical_spacing=0.05)
    for row, name in enumerate(controls.READINGS, start=1):
        shown = {label: one.of(label, name) for label in one.labels}
        for trace in _traces(shown, name, style.TEACHER):
            fig.add_trace(trace, row, 1)
    fig.update_yaxes(title_text="r", range=[-1.08, 1.08])
    return _finished(fig.update_layout(showlegend=False, margin_t=84), one)


def _traces(shown: Mapping[str, OverSeeds], name: str, color: str, symbol: str = "circle") -> list[go.Scatter]:
    """A dot a seed, and the means with their intervals."""
    dots = [(label, value) for label, found in shown.items() for value in found.values]
    x, y = [label for label, _ in dots], style.significant([value for _, value in dots])
    faint = {"size": 5, "color": color, "symbol": symbol, "opacity": 0.6}
    seeds = go.Scatter(x=x, y=y, name=name, mode="markers", marker=faint, legendgroup=name, showlegend=False)
    seeds.update(hovertemplate=f"%{{x}}, one seed<br>{name}: %{{y:.3f}}<extra></extra>")
    mean, low, high = (np.array([getattr(found, end) for found in shown.values()]) for end in ("mean", "low", "high"))
    bars = {"array": style.significant(high - mean), "arrayminus": style.significant(mean - low)}
    marker = {"size": 10, "color": color, "symbol": symbol, "line": {"width": 2, "color": color}}
    means = go.Scatter(x=list(shown), y=style.significant(mean), name=name, mode="markers", marker=marker)
    means.update(error_y={"type": "data", "color": color, "width": 0, **bars}, legendgroup=name)
    hover = f"%{{x}}, mean<br>{name}: %{{y:.3f}}<br>95 %: %{{text}}<extra></extra>"
    means.update(text=[found.between for found in shown.values()], hovertemplate=hover)
    return [seeds, means]


def _finished(fig: go.Figure, one: Measured) -> go.Figure:
    fig.add_hline(0, line={"color": style.QUIET, "width": 1})
    fig.update_xaxes(type="category", categoryarray=one.labels, categoryorder="array", tickangle=-60)
    return style.captioned(fig, one.study, f"{style.window(one.study)}; 95 % over seeds", one.runs)


# -------------------------------------------------------------------------------------------------------------- words
def sentence(found: Sequence[Measured]) -> str:
    """For how many students the interval of r leaves out zero, on which side, and for how many the bystander's does."""
    return _list(found, _sentence)


def _sentence(one: Measured) -> str:
    teacher, bystander = ({label: one.of(label, side).side for label in one.enough} for side in SIDES)
    return (
        f"of {students_of(one.enough)} with three seeds or more, the interval of r with μ to the teacher leaves out "
        f"zero for {count(teacher)}{sides_of(teacher)}; with μ to the bystander for {count(bystander)}"
        f"{sides_of(bystander)}."
    )


def difference_sentence(found: Sequence[Measured]) -> str:
    """For how many students r is higher or lower with mu to the teacher than with mu to the bystander."""
    return _list(found, _difference_sentence)


def _difference_sentence(one: Measured) -> str:
    shown = {label: one.difference(label) for label in one.enough}
    sides = {label: difference.side for label, difference in shown.items()}
    sizes = [abs(difference.mean) for difference in shown.values() if np.isfinite(difference.mean)]
    if not sizes:
        return "no bystander was followed."
    return (
        f"r(teacher) and r(bystander) differ in the mean over seeds by {np.median(sizes):.3f} at the median over "
        f"students, and by {max(sizes):.2f} at most. The interval of the difference leaves out zero for "
        f"{count(sides)} of {students_of(shown)}{sides_of(sides)}."
    )


def readings_sentence(found: Sequence[Measured]) -> str:
    """How many of the paper's r that leave out zero still do, with their sign, in each other reading."""
    return _list(found, _readings_sentence)


def _readings_sentence(one: Measured) -> str:
    sides = {name: {label: one.of(label, name).side for label in one.enough} for name in controls.READINGS}
    paper = {label: side for label, side in sides[controls.PAPERS].items() if side}
    parts = [_kept(paper, sides[name], name) for name in controls.READINGS if name != controls.PAPERS]
    return (
        f"the interval of the paper's r leaves out zero for {len(paper)} of {students_of(one.enough)}. For how many of "
        f"these it still does in the other readings: {'; '.join(parts)}."
    )


def _kept(paper: Mapping[str, int], sides: Mapping[str, int], name: str) -> str:
    same = [label for label, side in paper.items() if sides[label] == side]
    turned = sum(sides[label] == -side for label, side in paper.items())
    named = f" ({style.joined(same)})" if same else ""
    return f"*{name}*: {len(same)} with the same sign{named}, {turned} with the other"


def _list(found: Iterable[Measured], say: Callable[[Measured], str]) -> str:
    """A line a study, in Markdown."""
    return "\n".join(f"- **{one.name}**: {say(one) if one.enough else few_seeds()}" for one in found)


def few_seeds() -> str:
    """What is said of a study in which no student has enough seeds."""
    return f"no student has {stats.LEAST_RUNS} seeds, and nothing is said of what another seed would show."


def count(sides: Mapping[str, int]) -> int:
    return sum(side != 0 for side in sides.values())


def students_of(labels: Iterable[str]) -> str:
    count = len(list(labels))
    return f"{count} student{'s' * (count != 1)}"


def sides_of(sides: Mapping[str, int]) -> str:
    """Which are above zero, and which below."""
    words = {1: "above it", -1: "below it"}
    named = {side: [label for label, found in sides.items() if found == side] for side in words}
    parts = [f"{words[side]} {style.joined(labels)}" for side, labels in named.items() if labels]
    return f" ({'; '.join(parts)})" if parts else ""
