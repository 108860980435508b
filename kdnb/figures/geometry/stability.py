"""What is stable on t-SNE maps: the same features mapped many times, and what of it comes back."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import class_agreement, comparisons, map_stability, over_seeds, words
from kdnb.analysis.study import Study
from kdnb.figures import intervals, style
from kdnb.figures.exhibit import Exhibit, exhibit

NAMED = {"neighbours": "who is near whom", "classes": "the distances of the classes"}
PAIRS = {
    "random": ("two random starts", "#d55e00", "circle"),
    "features": ("map and feature space", style.TEACHER, "circle-open"),
}


@exhibit(
    "maps-kept",
    "Shared neighbours and rank correlation of class distances between maps, and between maps and features.",
    step="study",
)
def kept_parts(studies: Mapping[str, Study]) -> Exhibit:
    """Neighbours at the left, class distances at the right, against perplexity; a figure a study that has maps."""
    found = {name: map_stability.load(study) for name, study in studies.items()}
    tables = {name: map_stability.kept(redrawn) for name, redrawn in found.items() if redrawn}
    figures = {name: _kept_parts(studies[name], one, tables[name]) for name, one in found.items() if one}
    says = [recognised(name, one) if one else _how(studies[name]) for name, one in found.items()]
    answer = words.sentence("; ".join(comes_back(name, tables.get(name)) for name in studies))
    return Exhibit(figures or None, " ".join(says), answer, in_numbers(tables))


def _how(study: Study) -> str:
    """What to do where there are no maps; where there are others, of which."""
    if study.comparison("maps.safetensors"):
        return f"`kdnb compare` draws those of {style.joined(comparisons.MAPPED)} alone."
    return class_agreement.how_to(study)


def _kept_parts(study: Study, found: map_stability.Redrawn, table: pd.DataFrame) -> go.Figure:
    """``table`` of `map_stability.kept`, drawn."""
    fig = style.grid(1, 2, list(map_stability.KEPT.values()), 400, horizontal_spacing=0.14)
    labels = [str(perplexity) for perplexity in sorted(table["perplexity"].unique())]
    for col, kind in enumerate(map_stability.KEPT, 1):
        for pair, (name, color, symbol) in PAIRS.items():
            part = table[table["pair"] == pair]
            look = {"color": color, "symbol": symbol}
            by_perplexity = {str(label): dict(enumerate(rows[kind])) for label, rows in part.groupby("perplexity")}
            values = over_seeds.estimates(by_perplexity, independent=False)
            for trace in intervals.points(values, name, map_stability.KEPT[kind], look):
                fig.add_trace(trace.update(showlegend=col == 1 and trace.showlegend is not False), 1, col)
        intervals.axis(fig, labels, row=1, col=col)
    fig.update_xaxes(title_text="perplexity", tickangle=0)
    fig.update_yaxes(range=[-0.2, 1.05])
    fig.update_layout(legend={"orientation": "h", "y": -0.3})
    return style.captioned(fig, study, f"{len(found.maps)} maps from random starts", found.students)


def comes_back(name: str, table: pd.DataFrame | None) -> str:
    """What of a map is in the features and on another map: who is near whom, how far groups are; in a clause."""
    if table is None:
        return f"it cannot be told on {name}, where no maps of these students were drawn again"
    hollow = table[table["pair"] == "features"]
    near, far = (float(hollow[kind].mean()) for kind in ("neighbours", "classes"))
    return (
        f"with the features {near:.0%} of neighbours, and the order of class distances by ρ = "
        f"{words.number(far, '{:z.2f}')}, on {name}"
    )


def in_numbers(tables: Mapping[str, pd.DataFrame]) -> str:
    """Means and the least, a row a study and a pair, folded; empty without any."""
    rows = [
        {"study": name, "between": PAIRS[str(pair)][0]}
        | {
            map_stability.KEPT[kind]: f"{words.number(part[kind].mean(), '{:z.2f}')}, at least "
            f"{words.number(part[kind].min(), '{:z.2f}')}"
            for kind in map_stability.KEPT
        }
        for name, table in tables.items()
        for pair, part in table.groupby("pair", sort=False)
    ]
    return style.folded("In numbers", style.table(pd.DataFrame(rows), "what maps share")) if rows else ""


def recognised(name: str, found: map_stability.Redrawn) -> str:
    """By which of the two a map can be told to be its own network's."""
    count, every, spaces = map_stability.recognised(found), len(found.maps), len(found.spaces)
    limit = every / spaces + 2 * np.sqrt(every / spaces * (1 - 1 / spaces))  # two standard errors above guessing
    better = [NAMED[kind] for kind in map_stability.KEPT if count[kind] > limit]
    return (
        f"On {name} {count['neighbours']} of {every} maps from random starts fit their own network's features best by "
        f"who is near whom, {count['classes']} by the distances of the classes (chance: {every / spaces:.0f}; clearly "
        f"more: {'both' if len(better) > 1 else style.joined(better) if better else 'neither'})."
    )
