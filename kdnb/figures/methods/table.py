"""Every method beside every other: accuracy, and mu with its controls.

One row a label ("KD T=4", "SimKD f=4") over all its seeds; a value is the mean over seeds of the last epoch.
"""

import html
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import by_method, literature, over_seeds, stats, words
from kdnb.analysis.study import Study
from kdnb.figures import style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.runs import Run

SIDES, NEAR = ("top center", "bottom center", "middle right", "middle left"), 0.1
AXES = {"mu_raw": "final raw μ", "mu_rotated": "final rotated μ"}
NO_MU = "SimKD has no μ (–): its student answers with the teacher's classifier"


# ---------------------------------------------------------------------------------------------------------- in numbers
@exhibit("methods", "Every method in numbers, by study: accuracy over seeds, mu with that to the bystander, plug-in.")
def all_methods(studies: Mapping[str, Study]) -> Exhibit:
    """Every method in numbers; folded, what the literature reports."""
    found = {name: by_method.measured(study) for name, study in studies.items()}
    answer = words.sentence("; ".join(nearest(name, table) for name, table in found.items()))
    return Exhibit(None, notes(studies), answer, as_html(studies) + reported())


def nearest(name: str, found: pd.DataFrame) -> str:
    """Whether the most accurate method of one study is the one whose classifier ends nearest, in a clause.

    Several may be the most accurate. Means of fewer than three seeds tell which it is of no method.
    """
    with_mu = found.dropna(subset=["mu_raw"])
    if len(with_mu) < 2:
        return f"it cannot be told on {name}, where fewer than two methods have a μ"
    top = found["accuracy"].max()
    best = [str(label) for label in found.index[np.isclose(found["accuracy"], top, rtol=0, atol=1e-9)]]
    near = {
        column: str(with_mu[column].idxmin()) for column in ("mu_raw", "mu_rotated") if with_mu[column].notna().any()
    }
    parts = [f"{words.number(top, '{:.2%}')} for {style.joined(best)}{_few(found, *best)}"]
    parts += [
        f"the smallest {by_method.SAID[column]} μ is that of {label}{_few(found, label)}"
        for column, label in near.items()
    ]
    hit = [label in best for label in near.values()]
    word = "yes" if all(hit) else "in part" if any(hit) else "no"
    word = "it cannot be told" if _few(found, *best, *near.values()) else word
    return f"{word} on {name} ({'; '.join(parts)})"


def _few(found: pd.DataFrame, *labels: str) -> str:
    """After a comma the n of the rarest of ``labels``, where that is too few seeds to tell."""
    n = int(found["seeds"][[*labels]].min())
    return f", n\u00a0=\u00a0{n}" if n < stats.LEAST_RUNS else ""


def notes(studies: Mapping[str, Study]) -> str:
    """What one test image is worth on each study, what ± is, and why a method may have no mu."""
    sizes = {name: study.students[0].test_images for name, study in studies.items()}
    worth = style.joined(f"{100 / size:.2f} points on {name}" for name, size in sizes.items() if size)
    text = f"One test image is worth {worth}. " if worth else ""
    text += "± is the 95% interval over seeds, from three seeds on"
    shown = [run for study in studies.values() for run in by_method.shown(study)]
    return f"{text}. {NO_MU}." if not all(map(by_method.has_mu, shown)) else f"{text}."


def as_html(studies: Mapping[str, Study]) -> str:
    """`by_method.measured` of every study, one below the other, with a line for the methods it did not train."""
    heads = ["method", "n", "test accuracy, %", *by_method.MUS.values(), "plug-in, matched, %"]
    body = "".join(_study(study, len(heads)) for study in studies.values())
    head = "".join(f'<th scope="col">{title}</th>' for title in heads)
    look = "min-width:34em;text-align:left;font-size:0.85em"
    table = f'<table class="kdnb-table" style="{look}"><thead><tr>{head}</tr></thead>{body}</table>'
    return style.scrolled(table, "table of methods")


def _study(study: Study, columns: int) -> str:
    """The rows of one study under its name and networks."""
    found = by_method.measured(study)
    rows = "".join(_row(str(label), row) for label, row in found.iterrows())
    name = f"{html.escape(study.folder.name)}, {style.networks(study.students[0].spec)}"
    left = [html.escape(label) for label in by_method.planned() if label not in found.index]
    if left:
        rows += f'<tr><td colspan="{columns}">not trained: {", ".join(left)}</td></tr>'
    return f'<tbody><tr><th scope="rowgroup" colspan="{columns}">{name}</th></tr>{rows}</tbody>'


def _row(label: str, row: pd.Series) -> str:
    given = {str(column): float(value) for column, value in row.items()}
    accuracy = f"{100 * row['accuracy']:.2f}{words.plus_minus(100 * row['low'], 100 * row['high'], '{:.2f}')}"
    cells = [f"{row['seeds']:.0f}", accuracy, *distances(given).values()]
    cells.append(number(100 * row["plug_in"], ".1f") + _of(given, "plug_in"))
    name = f'<th scope="row" style="white-space:nowrap">{html.escape(label)}</th>'
    return f"<tr>{name}{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def distances(row: Mapping[str, float]) -> dict[str, str]:
    """Cells of a row's mus by their titles, those to the bystander in brackets."""
    cells = {}
    for column, title in by_method.MUS.items():
        own, other = number(row[column], "#.3g") + _of(row, column), row.get(f"bystander_{column}", np.nan)
        beside = f" ({number(other, '#.3g')}{_of(row, f'bystander_{column}')})" if np.isfinite(other) else ""
        cells[title] = f"{own}{beside}"
    return cells


def _of(row: Mapping[str, float], column: str) -> str:
    """After a comma on how many seeds a mean is, where these are some of the row's."""
    return f", n\u00a0=\u00a0{row[f'n {column}']:.0f}" if 0 < row[f"n {column}"] < row["seeds"] else ""


def number(value: float, how: str) -> str:
    """A number to read, 0 for what rounding leaves of it; a dash where there is none."""
    if not np.isfinite(value):
        return "–"
    return format(value, how) if abs(value) >= 10**-by_method.ROUNDING else "0"


def reported() -> str:
    """What the literature reports of the paper's pair, a column a source, folded."""
    table: dict[str, dict[str, str]] = {}
    for row in literature.FIGURES:
        label = by_method.label_of(row.method, row.parameters)
        table.setdefault(label, {"method": label})[f"{row.source.name}, %"] = row.number
    rows = style.table(pd.DataFrame(table.values()).fillna("–"), "reported accuracies")
    return style.folded("What the literature reports of the paper's pair", f"<p>{literature.sources_text()}</p>{rows}")


# ---------------------------------------------------------------------------------------------------- accuracy, and mu
@exhibit(
    "methods-accuracy-mu",
    "Test accuracy against final raw mu above and final rotated mu below, a named mark for each method.",
    step="study",
)
def scatter(studies: Mapping[str, Study]) -> Exhibit:
    """Test accuracy of the last epoch against mu, by study that has a mu."""
    figures = {name: draw_scatter(study) for name, study in studies.items() if by_method.with_mu(study)}
    said = "; ".join(order(name, study) for name, study in studies.items())
    return Exhibit(figures or None, without(studies), words.sentence(said))


def draw_scatter(study: Study) -> go.Figure:
    """Test accuracy of the last epoch against raw mu and rotated mu: a method's mean with its name, a dot a run."""
    fig = style.grid(len(AXES), 1, height=330 * len(AXES) + 60, vertical_spacing=0.14)
    drawn = {label: group for label, group in by_method.groups(study).items() if by_method.has_mu(group[0])}
    for row, (column, name) in enumerate(AXES.items(), start=1):
        there = {label: having for label, group in drawn.items() if (having := over_seeds.having(group, column))}
        sides = _sides({label: [by_method.mean(c, g) for c in (column, "test_accuracy")] for label, g in there.items()})
        for label, group in there.items():
            for trace in _method(study, label, group, column, name):
                fig.add_trace(trace, row, 1)
            fig.data[-1].update(textposition=sides[label])
        fig.update_xaxes(title_text=name, row=row)
    fig.update_yaxes(title_text="test accuracy", **style.shares(".1%"))
    shown = [run for group in drawn.values() for run in group]
    return style.captioned(fig, study, f"epoch {study.epochs}", shown).update_layout(showlegend=False)


def _sides(means: Mapping[str, Sequence[float]]) -> dict[str, str]:
    """On which side of its mark each name stands: another than those of its neighbours to the left."""
    places = np.array(list(means.values()), float).reshape(-1, 2)
    scaled = places / np.where(np.ptp(places, axis=0) > 0, np.ptp(places, axis=0), 1)
    sides: dict[str, str] = {}
    for k in np.argsort(places[:, 0], kind="stable"):
        near = (np.abs(scaled - scaled[k]) < NEAR).all(1)
        taken = [sides[label] for label, close in zip(means, near, strict=True) if close and label in sides]
        sides[list(means)[k]] = next((side for side in SIDES if side not in taken), SIDES[0])
    return sides


def _method(study: Study, label: str, group: list[Run], column: str, axis: str) -> list[go.Scatter]:
    """The dots of a method's runs, and its name at their mean."""
    mark = look(study, group[0])
    x, y = (style.significant([run.last(c) for run in group]) for c in (column, "test_accuracy"))
    runs = [f"{words.typeset(label)}, seed {run.spec.init_seed}" for run in group]
    hover = f"%{{text}}<br>{axis}: %{{x:.4g}}<br>accuracy: %{{y}}<extra></extra>"
    dots = go.Scatter(x=x, y=y, mode="markers", text=runs, hovertemplate=hover, name=label)
    dots.update(marker={**mark, "size": 5, "opacity": 0.6})
    mean = [style.significant([by_method.mean(c, group)]) for c in (column, "test_accuracy")]
    named = go.Scatter(x=mean[0], y=mean[1], mode="markers+text", text=[words.typeset(label)], marker=mark, name=label)
    return [dots, named.update(textfont={"size": 11}, hoverinfo="skip")]


def look(study: Study, run: Run) -> dict[str, object]:
    """Colour of a run's method, and its own symbol for those who do not see colours."""
    color = style.line(run, study.hottest)["color"]
    return {"color": color, "symbol": style.symbol_of(run.spec.method), "size": 11}


def order(name: str, study: Study) -> str:
    """Whether mu orders the methods of one study as accuracy does, in a clause."""
    found = {said: by_method.order(study, column) for column, said in by_method.SAID.items()}
    known = {said: one for said, one in found.items() if one is not None}
    if not known:
        count = len(by_method.with_mu(study))
        return f"it cannot be told on {name}, where {words.counted(count, 'method has', 'methods have')} a μ"
    told = [f"{words.number(one.rho, '{:+.2f}')} with {said} μ" for said, one in known.items()]
    clear = {said: one.rho < 0 for said, one in known.items() if one.p < 0.05}
    nearer = [said for said, is_nearer in clear.items() if is_nearer]  # the accurate ones
    word = "yes" if len(nearer) == len(known) else f"for {nearer[0]} μ alone" if nearer else "no"
    word = "no, the contrary," if clear and not nearer else word
    count = max(one.methods for one in known.values())
    return f"{word} on {name} (rank correlation of accuracy {style.joined(told)}; {count} methods)"


def without(studies: Mapping[str, Study]) -> str:
    """Which methods of which study are not among the marks."""
    parts = []
    for name, study in studies.items():
        lacking = (
            run for run in by_method.shown(study) if not np.isfinite([run.last(column) for column in AXES]).all()
        )
        gone = [*map(by_method.short, lacking)]
        if gone:
            parts.append(f"{style.joined(gone)} on {name}")
    return f"Not drawn in both panels, for lack of a μ: {'; '.join(parts)}." if parts else ""
