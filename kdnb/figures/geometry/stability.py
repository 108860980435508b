"""What is stable on t-SNE maps: the same features mapped many times, and what of it comes back."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import class_agreement, map_stability, over_seeds, words
from kdnb.analysis.comparisons import TEACHERS_MAP
from kdnb.analysis.selection import Study
from kdnb.figures import classes, intervals, style
from kdnb.figures.exhibit import Exhibit, exhibit

SHOWN = 300  # images drawn; what is computed takes all there are
NAMED = {"neighbours": "who is near whom", "classes": "the distances of the classes"}
PAIRS = {
    "random": ("two random starts", "#d55e00", "circle"),
    "features": ("map and feature space", style.TEACHER, "circle-open"),
}


# -- to look at --------------------------------------------------------------------------------------------------------


@exhibit(
    "many-maps-{of}",
    "t-SNE maps of three networks side by side, for one perplexity and one start at a time.",
    step="map",
)
def maps(study: Study, atlas: map_stability.Atlas | None) -> Exhibit:
    """One figure a perplexity and start, a panel a network; nothing where no such maps were made."""
    if atlas is None:
        return Exhibit(of=study.folder.name)
    figures: dict[str, go.Figure] = {}
    for one in atlas.maps:
        label = f"perplexity {one.perplexity}, " + ("teacher's start" if one.start == TEACHERS_MAP else one.start)
        if label not in figures:
            alike = [m for m in atlas.maps if (m.perplexity, m.start) == (one.perplexity, one.start)]
            figures[label] = _page(study, atlas, {m.network: m for m in alike})
    return Exhibit(figures, of=study.folder.name)


def _page(study: Study, atlas: map_stability.Atlas, shown: Mapping[str, map_stability.OneMap]) -> go.Figure:
    fig = style.grid(1, len(atlas.epochs), list(atlas.epochs), 340, horizontal_spacing=0.02)
    for col, network in enumerate(atlas.epochs, 1):
        for trace in _points(study, shown[network]):
            fig.add_trace(trace.update(showlegend=col == 1), 1, col)
    style.map_axes(fig, 1.05)
    fig.update_layout(legend={"itemsizing": "constant", "orientation": "h", "y": -0.05}, uirevision="kept")
    fig.update_layout(margin={"l": 8, "r": 8})
    told = ", ".join(f"{name}: epoch {epoch}" for name, epoch in atlas.epochs.items())
    runs = [run for run in study.students if run.label in atlas.epochs]
    return style.captioned(fig, study, f"{min(SHOWN, len(atlas.maps[0].points))} test images · {told}", runs or None)


def _points(study: Study, one: map_stability.OneMap) -> Iterable[go.Scatter]:
    """A trace a class or group of classes."""
    points, labels = one.points[:SHOWN], one.labels[:SHOWN]
    points = points / np.abs(points).max()  # t-SNE's unit means nothing
    for group in classes.groups(study.students[0].spec.dataset, one.labels):
        x, y = (style.significant(column, 2) for column in points[np.isin(labels, list(group.classes))].T)
        marker = {"size": 3.5, "color": group.color, "opacity": 0.8}
        trace = go.Scatter(x=x, y=y, mode="markers", name=group.name, legendgroup=group.name, marker=marker)
        yield trace.update(hovertemplate=f"{group.name}<extra>{one.network}</extra>")


# -- to count ----------------------------------------------------------------------------------------------------------


@exhibit(
    "maps-kept-{of}",
    "Shared neighbours and rank correlation of class distances between maps, and between maps and features.",
)
def kept_parts(study: Study, atlas: map_stability.Atlas | None) -> Exhibit:
    """Neighbours at the left, class distances at the right, against perplexity."""
    if atlas is None:
        return Exhibit(says=class_agreement.how_to(study), of=study.folder.name)
    table = map_stability.kept(atlas)
    return Exhibit(_kept_parts(study, atlas, table), sentence(atlas, table), of=study.folder.name)


def _kept_parts(study: Study, atlas: map_stability.Atlas, table: pd.DataFrame) -> go.Figure:
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
    runs = [run for run in study.students if run.label in atlas.epochs]
    return style.captioned(fig, study, f"{len(atlas.random)} maps from random starts", runs or None)


def sentence(atlas: map_stability.Atlas, table: pd.DataFrame) -> str:
    """Which of the two can be read off a map: who is near whom, or how far groups are from each other."""
    mean, least = (getattr(table.groupby("pair")[list(map_stability.KEPT)], name)() for name in ("mean", "min"))
    near, far = ((mean[kind], least[kind]) for kind in map_stability.KEPT)
    count, every, spaces = map_stability.recognised(atlas), len(atlas.random), len(atlas.spaces)
    limit = every / spaces + 2 * np.sqrt(every / spaces * (1 - 1 / spaces))  # two standard errors above guessing
    better = [NAMED[kind] for kind in map_stability.KEPT if count[kind] > limit]
    common = 10 * 10 / (len(atlas.maps[0].points) - 1)  # of two random sets of 10 among the other points, about
    rank = {pair: [words.number(one[pair], "{:z.2f}") for one in far] for pair in PAIRS}
    return (
        f"Two maps of the same features from different random starts share {near[0]['random']:.0%} of their nearest "
        f"neighbours (at least {near[1]['random']:.0%}; by chance {common / (2 * 10 - common):.1%}), and their "
        f"class distances have rank correlation {rank['random'][0]} (at least {rank['random'][1]}). A map and "
        f"the feature space it is of: {near[0]['features']:.0%} and {rank['features'][0]} (at least "
        f"{rank['features'][1]}). {every} maps from random starts were compared with the feature spaces of all "
        f"{spaces} networks: by who is near whom {count['neighbours']} of them fit their own network best, by the "
        f"distances of the classes {count['classes']}, by chance {every / spaces:.0f}. So what tells a network on "
        f"such a map is: {style.joined(better) if better else 'neither'}."
    )
