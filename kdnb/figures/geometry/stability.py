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
    found = {name: redrawn for name, study in studies.items() if (redrawn := map_stability.load(study))}
    if not found:
        return Exhibit(answer=f"**It cannot be told: no maps of these students were drawn again.** {_how(studies)}")
    tables = {name: map_stability.kept(redrawn) for name, redrawn in found.items()}
    figures = {name: _kept_parts(studies[name], redrawn, tables[name]) for name, redrawn in found.items()}
    name = next(iter(found))
    return Exhibit(figures, answer=sentence(name, found[name], tables[name]))


def _how(studies: Mapping[str, Study]) -> str:
    """What to do where there are no maps; where there are others, of which."""
    if any(study.comparison("maps.safetensors") for study in studies.values()):
        return f"`kdnb compare` draws those of {style.joined(comparisons.MAPPED)} alone."
    return class_agreement.how_to(next(iter(studies.values())))


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


def sentence(name: str, found: map_stability.Redrawn, table: pd.DataFrame) -> str:
    """What of a map comes back: who is near whom, and how far groups are from each other."""
    mean, least = (getattr(table.groupby("pair")[list(map_stability.KEPT)], how)() for how in ("mean", "min"))
    near, far = (mean[kind] for kind in map_stability.KEPT)
    worst = [words.number(least["classes"][pair], "{:z.2f}") for pair in PAIRS]
    return (
        f"**On {name} two maps of the same features share {near['random']:.0%} of their neighbours, a map and the "
        f"features {near['features']:.0%}; distances of classes agree by ρ = {words.number(far['random'], '{:z.2f}')} "
        f"(at least {worst[0]}) and {words.number(far['features'], '{:z.2f}')} (at least {worst[1]}).** "
        + recognised_sentence(found)
    )


def recognised_sentence(found: map_stability.Redrawn) -> str:
    """By which of the two a map can be told to be its own network's."""
    count, every, spaces = map_stability.recognised(found), len(found.maps), len(found.spaces)
    limit = every / spaces + 2 * np.sqrt(every / spaces * (1 - 1 / spaces))  # two standard errors above guessing
    better = [NAMED[kind] for kind in map_stability.KEPT if count[kind] > limit]
    return (
        f"Of {every} maps from random starts {count['neighbours']} fit their own network's features best by who is near"
        f" whom, {count['classes']} by the distances of the classes (chance: {every / spaces:.0f}): "
        f"what tells a network on such a map is {style.joined(better) if better else 'neither'}."
    )
