"""Every method beside every other: accuracy, and mu with its controls.

One row a label ("KD T=4", "SimKD f=4") over all its seeds; a value is the mean over seeds of the last epoch.
"""

import html
from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdnb import methods
from kdnb.analysis import by_method, literature, stats, words
from kdnb.analysis.selection import Study
from kdnb.figures import mu_curves, style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.runs import Run

SYMBOLS = {"solid": "circle", "longdash": "circle", "dash": "square", "dot": "diamond", "dashdot": "triangle-up"}
AXES = {"mu_raw": "final raw μ", "mu_rotated": "final rotated μ"}
NO_MU = "SimKD has no μ (–): its student answers with the teacher's classifier, through a projector"


@exhibit("methods-{of}", "Every method in numbers: accuracy over seeds, beside its paper's, and its mu.")
def all_methods(study: Study) -> Exhibit:
    """Every method in numbers, and what they say."""
    return Exhibit(None, table_sentence(study), f"**{study.folder.name}**", as_html(study), of=study.folder.name)


def as_html(study: Study) -> str:
    """`by_method.measured` with what is published beside it; a planned method that was not trained says so."""
    found, wanted = by_method.measured(study), by_method.planned()
    trained = {by_method.short(run): (run.spec.method, run.spec.method_parameters) for run in by_method.shown(study)}
    rows = [_cells(label, *one, found) for label, one in (wanted | trained).items()]
    return small(style.table(pd.DataFrame(rows).fillna(""), "methods", escape=False))


def small(table: str) -> str:
    """A table of many columns, in smaller letters."""
    return f'<div style="font-size:0.85em">{table}</div>'


def _cells(label: str, name: str, parameters: Mapping[str, float], found: pd.DataFrame) -> dict[str, str]:
    lines = [row.text.replace(" ", "\u00a0") for row in literature.of(name, parameters)]
    quoted = "<br>".join(lines) or "–"
    cells = {
        "method": html.escape(label),
        "learns from": _learns_from(name) if name in methods.METHODS else "–",
    }
    if label not in found.index:
        return cells | {"seeds": "0", "test accuracy": "not trained here", "published, %": quoted}
    row = {str(column): value for column, value in found.to_dict("index")[label].items()}
    accuracy = interval(row["accuracy"], row["low"], row["high"])
    told = {"seeds": f"{row['seeds']:.0f}", "test accuracy": accuracy, "published, %": quoted}
    return cells | told | distances(row) | {"plug-in, matched": number(row["plug_in"], ".1%")}


def _learns_from(name: str) -> str:
    """What a method's loss looks at: labels where it has a cross-entropy, and what it needs of the teacher."""
    method = methods.METHODS[name]
    return style.joined([*(["labels"] if "ce" in method.term_names else []), *sorted(method.needs)])


def distances(row: Mapping[str, float]) -> dict[str, str]:
    """Cells of a row's mus, those to the bystander in brackets."""
    cells = {}
    for column, title in by_method.MUS.items():
        own, other = number(row[column], ".3g"), row.get(f"bystander_{column}", np.nan)
        cells[title] = f"{own} ({number(other, '.3g')})" if np.isfinite(other) else own
    return cells


def number(value: float, how: str) -> str:
    """A number to read, 0 for what rounding leaves of it; a dash where there is none."""
    return format(round(value, by_method.ROUNDING), how) if np.isfinite(value) else "–"


def interval(value: float, low: float, high: float) -> str:
    """A share with half the width of its symmetric interval, where it has one."""
    return f"{value:.2%}{words.plus_minus(low, high, '{:.2%}')}"


def table_sentence(study: Study) -> str:
    """What the table is of, what one test image is worth, and what stands at the ends of its columns."""
    found = by_method.measured(study)
    accuracy = dict(zip(found.index, found["accuracy"], strict=True))
    best, worst = max(accuracy, key=accuracy.__getitem__), min(accuracy, key=accuracy.__getitem__)
    text = (
        f"**{study.name}**, {style.networks(study.students[0].spec)}: the most accurate is **{best}** "
        f"with {accuracy[best]:.2%}, the least **{worst}** with {accuracy[worst]:.2%}. "
    )
    if size := study.students[0].test_images:
        p = accuracy[best]
        text += (
            f"One test image of {size:,} is {1 / size:.2%}, and the standard error of {p:.1%} on so many is "
            f"{np.sqrt(p * (1 - p) / size):.2%}. "
        )
    single = found.index[found["seeds"] < stats.LEAST_RUNS].tolist()
    if single:
        text += f"± is the 95 % interval over seeds; fewer than three have none ({len(single)} of {len(found)} rows). "
    return text + (f"{NO_MU}." if not all(map(by_method.has_mu, by_method.shown(study))) else "")


# -------------------------------------------------------------------------------------------------- mu, and accuracy
def curves_sentence(study: Study) -> str:
    """Which raw mu moves least and most after the warm-up, and what the norm and mu to the bystander do there."""
    moves = {by_method.short(run): (abs(study.change("mu_raw", run)), run) for run in by_method.with_mu(study)}
    there = {name: run for name, (size, run) in moves.items() if np.isfinite(size)}
    if not there:
        return "No method here has a μ that could move."
    ordered = sorted(there, key=lambda name: moves[name][0])
    columns = {"": "mu_raw", ", to the bystander ": "bystander_mu_raw", ", ‖W_s‖ ": "weight_norm"}
    parts = []
    for end, name in zip(("least", "most"), ordered[:1] + ordered[-1:], strict=True):
        changes = [f"{text}{mu_curves.percent(study.change(c, there[name]))}" for text, c in columns.items()]
        parts.append(f"{end} for **{name}** ({''.join(changes)})")
    return f"In {style.window(study)} raw μ changes {style.joined(parts)}."


@exhibit("methods-mu-{of}", "Raw mu and training loss over the epochs after the warm-up, a curve for each method.")
def curves(study: Study) -> Exhibit:
    """Fig. 1 for every method that has a mu."""
    return Exhibit(mu_curves.draw_curves(study, by_method.with_mu(study)), curves_sentence(study), of=study.folder.name)


@exhibit(
    "methods-accuracy-mu-{of}",
    "Test accuracy against final raw mu above and final rotated mu below, a mark for each run.",
)
def scatter(study: Study) -> Exhibit:
    """Test accuracy of the last epoch against mu, a mark a run."""
    return Exhibit(draw_scatter(study), scatter_sentence(study), of=study.folder.name)


def draw_scatter(study: Study) -> go.Figure:
    """Test accuracy of the last epoch against raw mu and rotated mu, a mark a run."""
    fig = style.grid(len(AXES), 1, height=330 * len(AXES) + 90, vertical_spacing=0.16)
    drawn = {label: group for label, group in by_method.groups(study).items() if by_method.has_mu(group[0])}
    for row, (column, name) in enumerate(AXES.items(), start=1):
        for label, group in drawn.items():
            x, y = (style.significant([run.last(c) for run in group]) for c in (column, "test_accuracy"))
            runs = [f"{label}, seed {run.spec.init_seed}" for run in group]
            trace = go.Scatter(x=x, y=y, name=label, mode="markers", text=runs, marker=look(study, group[0]))
            hover = f"%{{text}}<br>{name}: %{{x:.4g}}<br>accuracy: %{{y:.2%}}<extra></extra>"
            fig.add_trace(trace.update(hovertemplate=hover, legendgroup=label, showlegend=row == 1), row, 1)
        fig.update_xaxes(title_text=name, row=row)
    fig.update_yaxes(title_text="test accuracy", tickformat=".1%")
    return style.captioned(fig, study, f"epoch {study.epochs}", [run for group in drawn.values() for run in group])


def look(study: Study, run: Run) -> dict[str, object]:
    """Colour of a run's method, and a symbol that tells it from others of that colour."""
    drawn = style.line(run, study.hottest)
    return {"color": drawn["color"], "symbol": SYMBOLS.get(drawn.get("dash", "solid"), "cross"), "size": 10}


def scatter_sentence(study: Study) -> str:
    """Whether mu orders the methods as accuracy does: rank correlation over their means."""
    table = pd.DataFrame(
        {c: [by_method.mean(c, group) for group in by_method.groups(study).values()] for c in (*AXES, "test_accuracy")}
    ).dropna()
    if len(table) < stats.LEAST_POINTS:
        return "Fewer than three methods here have a μ: there is no order to compare."
    parts = [f"{name} {by_method.rank(table[column], table['test_accuracy'])}" for column, name in AXES.items()]
    return (
        f"Over the {len(table)} methods with a μ, the rank correlation with accuracy is: {style.joined(parts)} "
        "(−1: the nearer the better; 0: μ does not tell)."
    )
