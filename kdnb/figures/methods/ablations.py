"""Chapter 11, one thing varied at a time: alpha, temperatures beyond 10, the schedule, T squared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdnb import methods, profiles
from kdnb.analysis import correlations
from kdnb.analysis.selection import StudiesParameters, Study
from kdnb.analysis.students import HOTTEST
from kdnb.figures import style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.runs import Run

TEMPERATURES = (*map(float, range(1, 11)), 20.0, 50.0)
EARLY = (120, 150, 180, 210)  # the paper's other schedule, of 240 epochs
PANELS = {"mu": "final raw μ", "r": "r (μ, loss)", "accuracy": "test accuracy"}
BLUE, ORANGE = style.TEACHER, style.NORMAL


@dataclass(frozen=True)
class Varied:
    """Runs of one study and what was varied in them.

    table    a row a run: line (its name in the legend), x (its place on the axis), seed, and the columns of PANELS
             with ``bystander``, the final raw mu to it
    colors   by line
    """

    study: Study
    runs: Sequence[Run]
    table: pd.DataFrame
    colors: Mapping[str, str]
    axis: str

    @property
    def places(self) -> list[str]:
        """The axis, from left to right."""
        return list(dict.fromkeys(self.table["x"]))


# ------------------------------------------------------------------------------------------------------------ reading
def alphas(chosen: StudiesParameters) -> dict[str, Varied]:
    """By study, KD at T = 4 and MSE at every alpha, and normal training, which is alpha = 0; those with two or more."""
    found = {}
    for name, study in _studies(chosen, methods=("normal", "kd", "mse"), temperatures=(4.0,)).items():
        runs = sorted(study.every, key=_alpha)
        if len({_alpha(run) for run in runs if run.spec.method != "normal"}) > 1:
            table = _table(study, [(run, run.label, f"{_alpha(run):g}") for run in runs])
            colors = {run.label: str(style.line(run, HOTTEST)["color"]) for run in runs}
            found[name] = Varied(study, runs, table, colors, "α (0: normal training)")
    return found


def temperatures(chosen: StudiesParameters) -> dict[str, Varied]:
    """By study, KD at every T, and MSE at the end of the axis; those with a T beyond the paper's."""
    found = {}
    for name, study in _studies(chosen, methods=("kd", "mse"), temperatures=TEMPERATURES).items():
        if study.hottest > HOTTEST:
            runs = study.shown
            table = _table(study, [(run, run.label.split(" ")[0], run.label.removeprefix("KD T=")) for run in runs])
            found[name] = Varied(study, runs, table, {"KD": BLUE, "MSE": style.MSE}, "temperature T; last: MSE")
    return found


def schedules(chosen: StudiesParameters) -> dict[str, Varied]:
    """By study, students under the field's schedule and under the paper's other one; those that have both."""
    found: dict[str, Varied] = {}
    for name, usual in _studies(chosen, methods=("normal", "kd")).items():
        early = [round(drop * usual.epochs / profiles.DROPS_OF) for drop in EARLY]
        other = _studies(replace(chosen, profiles=(name,)), methods=("normal", "kd"), drops=early)
        found |= _both(name, {_drops(study): study for study in (usual, *other.values())})
    return found


def readings(chosen: StudiesParameters) -> dict[str, Varied]:
    """By study, KD with T squared and without; those that have both."""
    found: dict[str, Varied] = {}
    without = _studies(chosen, methods=("kd",), squared=False)
    for name, usual in _studies(chosen, methods=("kd",), squared=True).items():
        both = {"with T²": usual} | ({"without T²": without[name]} if name in without else {})
        found |= _both(name, both)
    return found


def _studies(chosen: StudiesParameters, **asked: Any) -> dict[str, Study]:
    """The studies that have students of what is ``asked``."""
    found: dict[str, Study] = {}
    for name in chosen.profiles:
        try:
            found |= replace(chosen, profiles=(name,)).studies(**asked)
        except FileNotFoundError:
            continue  # said by :func:`absent`
    return found


def _both(name: str, named: Mapping[str, Study]) -> dict[str, Varied]:
    """By ``name``, the students that both of ``named`` have, same label and seed, a line each; empty without any."""
    every = {line: {(_label(run), run.spec.init_seed): run for run in study.shown} for line, study in named.items()}
    common = [key for key in next(iter(every.values())) if all(key in runs for runs in every.values())]
    if len(named) < 2 or not common:
        return {}
    rows = [(runs[key], line, key[0]) for line, runs in every.items() for key in common]
    study = next(iter(named.values()))
    colors = dict(zip(named, (BLUE, ORANGE), strict=True))
    return {name: Varied(study, [run for run, _, _ in rows], _table(study, rows), colors, "method")}


def _label(run: Run) -> str:
    """The label that the run would have with T squared."""
    given = run.spec.method_parameters
    return methods.label(run.spec.method, given | ({"squared": 1.0} if "squared" in given else {}))


def _drops(study: Study) -> str:
    return "drops " + "/".join(map(str, study.students[0].spec.drops))


def _alpha(run: Run) -> float:
    return run.spec.method_parameters.get("alpha", 0.0)


def _table(study: Study, rows: Sequence[tuple[Run, str, str]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "line": name,
            "x": x,
            "seed": run.spec.init_seed,
            "mu": run.last("mu_raw"),
            "bystander": run.last("bystander_mu_raw"),
            "r": correlations.r_after(run, study.warm_up),
            "accuracy": run.last("test_accuracy"),
        }
        for run, name, x in rows
    )


# ------------------------------------------------------------------------------------------------------------- drawing
@exhibit(
    "alpha-{of}", "Final raw mu, r and test accuracy against alpha for KD at T = 4 and for MSE, a dot for each seed."
)
def alpha(varied: Varied) -> Exhibit:
    """What the weight of distillation does."""
    return Exhibit(_figure(varied), ends_sentence(varied), of=varied.study.folder.name)


@exhibit(
    "high-temperature-{of}", "Final raw mu, r and test accuracy against T up to 50, with MSE at the end of the axis."
)
def high_temperature(varied: Varied) -> Exhibit:
    """Towards MSE, which a high temperature is to become."""
    return Exhibit(_figure(varied), mse_sentence(varied), of=varied.study.folder.name)


@exhibit(
    "schedule-{of}",
    "Final raw mu, r and test accuracy of normal training and KD under two schedules of the learning rate.",
)
def schedule(varied: Varied) -> Exhibit:
    """The paper's two statements of the schedule."""
    return Exhibit(_figure(varied), both_sentence(varied), of=varied.study.folder.name)


@exhibit("t-squared-{of}", "Final raw mu, r and test accuracy of KD by T, with the factor T squared and without it.")
def t_squared(varied: Varied) -> Exhibit:
    """The paper's two readings of KD's loss."""
    return Exhibit(_figure(varied), both_sentence(varied), of=varied.study.folder.name)


def _figure(varied: Varied) -> go.Figure:
    """Final raw mu, r and test accuracy: a line through the means over seeds, a dot a seed.

    In the first panel, dotted: the same with mu to the bystander.
    """
    fig = style.grid(3, 1, height=680, shared_xaxes=True, vertical_spacing=0.06)
    for name, part in varied.table.groupby("line", sort=False):
        for row, column in enumerate(PANELS, start=1):
            line, dots = _line(varied, str(name), part, column)
            fig.add_trace(line.update(showlegend=row == 1), row, 1)
            fig.add_trace(dots.update(showlegend=False), row, 1)
        fig.add_trace(_beside(varied, str(name), part), 1, 1)
    for row, title in enumerate(PANELS.values(), start=1):
        fig.update_yaxes(title_text=title, row=row)
    fig.update_yaxes(tickformat=".1%", row=3)
    fig.update_xaxes(type="category", categoryorder="array", categoryarray=varied.places)
    fig.update_xaxes(title_text=varied.axis, row=3)
    return style.captioned(fig, varied.study, f"r: {style.window(varied.study)}", varied.runs)


def _line(varied: Varied, name: str, part: pd.DataFrame, column: str) -> list[go.Scatter]:
    color, means = varied.colors[name], part.groupby("x", sort=False)[column].mean()
    title = PANELS[column]
    line = go.Scatter(x=list(means.index), y=style.significant(means), name=name, legendgroup=name)
    line.update(mode="lines+markers", line={"color": color, "width": 2}, marker={"size": 9, "color": color})
    dots = go.Scatter(x=list(part["x"]), y=style.significant(part[column]), name=f"{name}, seeds", legendgroup=name)
    dots.update(
        mode="markers", marker={"size": 7, "color": color, "symbol": "circle-open"}, customdata=list(part["seed"])
    )
    shown = "%{y:.2%}" if column == "accuracy" else "%{y:.4g}"
    line.update(hovertemplate=f"{name}, %{{x}}<br>{title}: {shown} (mean)<extra></extra>")
    dots.update(hovertemplate=f"{name}, %{{x}}, seed %{{customdata}}<br>{title}: {shown}<extra></extra>")
    return [line, dots]


def _beside(varied: Varied, name: str, part: pd.DataFrame) -> go.Scatter:
    means = part.groupby("x", sort=False)["bystander"].mean()
    trace = go.Scatter(x=list(means.index), y=style.significant(means), name=f"{name}, bystander", legendgroup=name)
    color = varied.colors[name]
    trace.update(mode="lines+markers", line={"color": color, "width": 1.5, "dash": "dot"})
    trace.update(marker={"size": 6, "symbol": "square-open", "color": color})
    return trace.update(hovertemplate=f"{name}, %{{x}}<br>raw μ to the bystander: %{{y:.4g}} (mean)<extra></extra>")


# ----------------------------------------------------------------------------------------------------------- sentences
def ends_sentence(varied: Varied) -> str:
    """From the first to the last place of each line: mu, its control, r and accuracy."""
    parts = []
    for name, part in varied.table.groupby("line", sort=False):
        means = part.groupby("x", sort=False)[["mu", "bystander", "r", "accuracy"]].mean()
        if len(means) > 1:
            first, last = means.iloc[0], means.iloc[-1]
            parts.append(
                f"**{name}**, from {means.index[0]} to {means.index[-1]}: final raw μ {_from_to(first, last, 'mu')} "
                f"(to the bystander {_from_to(first, last, 'bystander')}), r {_from_to(first, last, 'r', '.2f')}, "
                f"accuracy {_from_to(first, last, 'accuracy', '.2%')}"
            )
    return f"{'; '.join(parts)}."


def _from_to(first: pd.Series, last: pd.Series, column: str, how: str = ".3g") -> str:
    shown = [format(one[column], how) if np.isfinite(one[column]) else "undefined" for one in (first, last)]
    return " → ".join(shown)


def mse_sentence(varied: Varied) -> str:
    """How near KD comes to MSE as T grows, beside what seeds alone do to MSE."""
    means = varied.table.groupby(["line", "x"], sort=False)[list(PANELS)].mean()
    mse = varied.table[varied.table["line"] == "MSE"]
    if mse.empty:
        return "MSE was not trained here, so that there is nothing to approach."
    hot = [x for x in ("1", "10", "50") if ("KD", x) in means.index]
    gaps = {column: [abs(means[column]["KD", x] - mse[column].mean()) for x in hot] for column in PANELS}
    text = (
        f"At T = {style.joined(hot)} KD differs from MSE in final raw μ by {_listed(gaps['mu'], '.2g')}, in r by "
        f"{_listed(gaps['r'], '.2f')}, in accuracy by {_listed([100 * gap for gap in gaps['accuracy']], '.2f')} points"
    )
    if len(mse) < 2:
        return f"{text}. MSE has one seed here."
    spread = mse[list(PANELS)].std()
    return (
        f"{text}. MSE's own seeds have a standard deviation of {spread['mu']:.2g}, {spread['r']:.2f} and "
        f"{100 * spread['accuracy']:.2f} points."
    )


def _listed(numbers: Sequence[float], how: str) -> str:
    return style.joined([format(one, how) for one in numbers])


def both_sentence(varied: Varied) -> str:
    """What the other reading changes, method by method: mu, r and its sign, accuracy."""
    means = varied.table.groupby(["line", "x"], sort=False)[list(PANELS)].mean()
    first, second = varied.colors
    one, other = means.loc[first], means.loc[second]
    share, points = other["mu"] / one["mu"] - 1, 100 * (other["accuracy"] - one["accuracy"])
    seeds = varied.table["seed"].nunique()
    text = (
        f"From *{first}* to *{second}*, over {len(one)} methods and {seeds} seed{'s' * (seeds > 1)}: final raw μ "
        f"changes by {share.min():+.1%} to {share.max():+.1%}, accuracy by {points.min():+.2f} to {points.max():+.2f} "
        "points."
    )
    turn = (other["r"] - one["r"]).abs().dropna()
    if turn.empty:
        return f"{text} r is undefined here."
    most = str(turn.idxmax())
    signs = int((one["r"] * other["r"] < 0).sum())
    told = f"{one['r'].loc[most]:.2f} → {other['r'].loc[most]:.2f}"
    return f"{text} r changes most for **{most}** ({told}), and its sign turns in {signs} of {len(turn)}."


def absent(chosen: StudiesParameters, found: Mapping[str, Varied], what: str) -> str:
    """Which studies have no runs of ``what``, or nothing to say."""
    names = [name for name in chosen.profiles if name not in found]
    return f"Not trained for {style.joined(f'`{name}`' for name in names)}: {what}." if names else ""
