"""One thing varied at a time: alpha, temperatures beyond 10, the schedule, T squared."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import over_seeds, stats, variations, words
from kdnb.analysis.selection import StudiesParameters
from kdnb.figures import claim_words, intervals, style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.runs import Run

# By the side of what mu changes by less what that to the bystander changes by.
APART = {
    1: "yes, away from the teacher more than from the bystander,",
    0: "not otherwise than to the bystander, that could be seen,",
    -1: "yes, to the teacher more than to the bystander,",
}
MEANS: dict[str, Callable[..., float]] = {"r": stats.mean_correlation}  # of the others the plain one
PANELS = {"mu": "final raw μ", "r": "r (μ, loss)", "accuracy": "test accuracy"}
# Of the lines of a figure, in their order: colour, dash, symbol.
LOOKS = (
    {"color": style.TEACHER, "dash": "solid", "symbol": "circle"},
    {"color": style.NORMAL, "dash": "dash", "symbol": "diamond"},
    {"color": "#009e73", "dash": "dashdot", "symbol": "triangle-up"},
)
Found = Mapping[str, variations.Varied]


# ------------------------------------------------------------------------------------------------------------- drawing
@exhibit(
    "alpha",
    "Final raw mu, r and test accuracy against alpha for KD at T = 4 and for MSE, a dot for each seed.",
    step="study",
)
def alpha(chosen: StudiesParameters) -> Exhibit:
    """What the weight of distillation does."""
    found = variations.alphas(chosen)
    return _shown(found, [ends(name, one) for name, one in found.items()], absent(chosen, found, "more than one α"))


@exhibit("alpha-curves", "Change of raw mu after the warm-up under KD at T = 4, a line an alpha.", step="study")
def alpha_curves(chosen: StudiesParameters) -> Exhibit:
    """Appendix A.1: does alpha change the shape of mu's curve?"""
    found = variations.alphas(chosen)
    figures = {name: _by_alpha(varied) for name, varied in found.items()}
    told = [claim_words.told(one.study, "C9").strip("*").replace(":", f" on {name}:", 1) for name, one in found.items()]
    none = "It cannot be told: no study here has more than one α."
    return Exhibit(figures or None, answer=f"**{' '.join(told) or none}**")


@exhibit(
    "high-temperature",
    "Final raw mu, r and test accuracy against T up to 50, with MSE at the end of the axis.",
    step="study",
)
def high_temperature(chosen: StudiesParameters) -> Exhibit:
    """Towards MSE, which a high temperature is to become."""
    found = variations.temperatures(chosen)
    return _shown(found, [nearing(name, one) for name, one in found.items()], absent(chosen, found, "a T beyond 10"))


@exhibit(
    "readings",
    "Final raw mu, r and test accuracy under the paper's two schedules, and with and without the factor T squared.",
    step="varied",
)
def readings(chosen: StudiesParameters) -> Exhibit:
    """What the paper's two readings of the schedule and of KD's loss change."""
    both = {"the schedule": variations.schedules(chosen), "T²": variations.readings(chosen)}
    found = {f"{what}, {name}": one for what, some in both.items() for name, one in some.items()}
    missing = [absent(chosen, some, f"both readings of {what}") for what, some in both.items()]
    return _shown(found, [turns(name, one) for name, one in found.items()], " ".join(filter(None, missing)))


def _shown(found: Found, clauses: Sequence[str], missing: str) -> Exhibit:
    """A figure a study, and the clauses as one bold sentence, or that nothing can be told."""
    said = "; ".join(clauses) or "it cannot be told: no study here has the runs"
    figures = {name: _figure(one) for name, one in found.items()}
    return Exhibit(figures or None, missing, words.sentence(said))


def _figure(varied: variations.Varied) -> go.Figure:
    """Final raw mu, r and test accuracy: a line through the means over seeds, a dot a seed.

    In the first panel, dotted and hollow: the same with mu to the bystander.
    """
    fig = style.grid(3, 1, height=680, shared_xaxes=True, vertical_spacing=0.06)
    looks = dict(zip(sorted(varied.lines, key="normal".__eq__), LOOKS, strict=False))  # of KD's line the first
    for key, part in varied.table.groupby("line", sort=False):
        name = words.typeset(str(key))
        look = looks[str(key)]
        for row, column in enumerate(PANELS, start=1):
            line, dots = intervals.course(_by_place(part, column), name, look, MEANS.get(column, np.mean))
            fig.add_trace(line.update(showlegend=row == 1), row, 1)
            fig.add_trace(dots, row, 1)
        hollow = look | {"dash": "dot", "symbol": f"{look['symbol']}-open"}
        beside, _ = intervals.course(_by_place(part, "bystander"), f"{name}, bystander", hollow)
        fig.add_trace(beside.update(legendgroup=name), 1, 1)
    for row, title in enumerate(PANELS.values(), start=1):
        fig.update_yaxes(title_text=title, row=row)
    fig.update_yaxes(**style.shares(".1%"), row=3)
    fig.update_xaxes(type="category", categoryorder="array", categoryarray=varied.places)
    fig.update_xaxes(title_text=varied.axis, row=3)
    return style.captioned(fig, varied.study, f"r: {style.window(varied.study)}", varied.runs)


def _by_alpha(varied: variations.Varied) -> go.Figure:
    groups: dict[float, list[Run]] = {}
    study = varied.study
    for run in varied.runs:
        if run.spec.method == "kd":
            groups.setdefault(run.spec.method_parameters["alpha"], []).append(run)
    fig, dashes = style.grid(1, 1, height=420), ("solid", *style.DASHES)
    for place, (alpha, group) in enumerate(sorted(groups.items(), reverse=True)):
        look = {"color": style.COLORWAY[place % len(style.COLORWAY)], "dash": dashes[place % len(dashes)], "width": 2}
        mean = over_seeds.mean_course(study, "mu_raw", group)
        fig.add_trace(style.curve(mean, "mu_raw", f"α = {alpha:g}", look, showlegend=True))
    fig.add_hline(0, line={"color": style.QUIET, "width": 1})
    style.mark_drops(fig, study.students[0], study.warm_up)
    fig.update_yaxes(title_text="change of μ raw", **style.shares("+.2~%", "+.2%"))
    fig.update_xaxes(title_text="epoch")
    return style.captioned(fig, study, style.window(study), [run for group in groups.values() for run in group])


def _by_place(part: pd.DataFrame, column: str) -> dict[str, list[float]]:
    return {str(place): list(values) for place, values in part.groupby("x", sort=False)[column]}


# ------------------------------------------------------------------------------------------------------------- clauses
def ends(name: str, varied: variations.Varied) -> str:
    """Whether from the first to the last place of KD's line mu goes as mu to the bystander does; r and accuracy."""
    means = _means(varied)
    lines = [line for line in varied.lines if len(means.loc[line]) > 1]
    if not lines:
        return f"it cannot be told on {name}, where no method has two α"
    kd = next((line for line in lines if line.startswith("KD")), lines[0])
    part = means.loc[kd]
    first, last = part.iloc[0], part.iloc[-1]
    rows = varied.table[varied.table["line"] == kd].set_index("seed")
    at = [rows.loc[rows["x"] == place, ["mu", "bystander"]] for place in (part.index[0], part.index[-1])]
    change = at[1] - at[0]  # in μ, not as a share: as ‖W_s‖ grows, the larger of two μ grows by the smaller share
    apart = over_seeds.estimate(change["mu"] - change["bystander"])
    so = APART[apart.side] if apart.enough else "it cannot be told from so few seeds"
    mine, others = (words.number(change[column].mean(), "{:+.2f}") for column in ("mu", "bystander"))
    points = words.number(100 * (last["accuracy"] - first["accuracy"]), "{:+.2f} points")
    turn = [words.number(one["r"], "{:.2f}") for one in (first, last)]
    r = f"r goes from {' to '.join(turn)}" if turn[0] != turn[1] else f"r stays {turn[0]}"
    return (
        f"{so} on {name}: from α = {part.index[0]} to {part.index[-1]} {kd}'s final raw μ changes by {mine} and that "
        f"to the bystander by {others}, a difference of {apart.told('{:+z.2f}')}; {r}, accuracy changes by {points}"
    )


def _means(varied: variations.Varied) -> pd.DataFrame:
    """Over the seeds of each line and place."""
    groups = varied.table.groupby(["line", "x"], sort=False)
    return groups.agg({column: MEANS.get(column, "mean") for column in ("mu", "bystander", "r", "accuracy")})


def nearing(name: str, varied: variations.Varied) -> str:
    """Whether KD is nearer to MSE at the highest T than at the lowest, in each of the three numbers, over seeds."""
    table = varied.table.assign(accuracy=100 * varied.table["accuracy"]).set_index("seed")  # in points
    kd, mse = (table[table["line"] == line] for line in ("KD", "MSE"))
    # In size seed by seed, or seeds on either side of MSE would pass for none that is far from it.
    apart = {str(x): (part[list(PANELS)] - mse[list(PANELS)]).dropna().abs() for x, part in kd.groupby("x", sort=False)}
    there = [x for x, gaps in apart.items() if len(gaps)]
    if len(there) < 2:
        return f"it cannot be told on {name}, where MSE or a second temperature was not trained on the same seeds"
    cold, hot = apart[there[0]].align(apart[there[-1]], join="inner", axis=0)
    nearer = {column: over_seeds.estimate((cold - hot)[column]) for column in PANELS}
    return f"{_nearer(nearer)} on {name} (T = {there[-1]} beside T = {there[0]}; n = {len(cold)})"


def _nearer(found: Mapping[str, over_seeds.Estimate]) -> str:
    """In which numbers an interval over seeds says that it is nearer."""
    if not all(one.enough for one in found.values()):
        return "too few seeds"
    sides = [one.side for one in found.values()]
    clear = [PANELS[column] for column, one in found.items() if one.side > 0]
    some = f"in {style.joined(clear)}" if clear else "not seen"
    return "yes" if len(clear) == len(found) else "no" if set(sides) == {-1} else some


def turns(name: str, varied: variations.Varied) -> str:
    """What the other reading changes, method by method: the sign of r, mu, accuracy."""
    means = _means(varied)
    one, other = (means.loc[line] for line in varied.lines)
    share, points = 100 * (other["mu"] / one["mu"] - 1), 100 * (other["accuracy"] - one["accuracy"])
    signs, known = int((one["r"] * other["r"] < 0).sum()), int((one["r"] * other["r"]).notna().sum())
    spans = [
        " to ".join(dict.fromkeys(words.number(end, form) for end in (change.min(), change.max())))
        for change, form in ((share, "{:+.1f}%"), (points, "{:+z.2f}"))
    ]
    seeds, of = words.counted(varied.table["seed"].nunique(), "seed"), words.counted(known, "student")
    return (
        f"{name}: the sign of r turns in {signs} of {of} ({seeds}), final raw μ changes by {spans[0]}, "
        f"accuracy by {spans[1]} points"
    )


def absent(chosen: StudiesParameters, found: Found, what: str) -> str:
    """Which studies have no runs of ``what``, or nothing to say."""
    names = [f"`{name}`" for name in chosen.profiles if name not in found]
    return f"Not trained for {style.joined(names)} with seed {chosen.seed}: {what}." if names else ""
