"""The mismatched-pair null: is r of mu with its own run's loss another than with another seed's?"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import mismatched_pairs, words
from kdnb.analysis.over_seeds import Estimate, more_than_chance, off_zero
from kdnb.analysis.r_over_seeds import Measured
from kdnb.figures import style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.figures.statistics import warm_ups
from kdnb.figures.statistics.over_seeds import told

KINDS = {"other seed": style.OTHER, "same run": style.TEACHER}


@exhibit(
    "seeds-null",
    "r of mu with the loss of the same run and of other seeds against the warm-up, medians and ranges.",
    step="student",
)
def against_warm_up(found: Sequence[Measured], tables: Sequence[pd.DataFrame]) -> Exhibit:
    """One figure a study and student of two seeds or more; ``tables`` of `mismatched_pairs.by_cut`."""
    figures = {
        f"{label}, {one.name}": _figure(one, str(label), part)
        for one, table in zip(found, tables, strict=True)
        for label, part in table.groupby("label", sort=False)
    }
    return Exhibit(figures, **told(found, cut_sentence, tables), start=warm_ups.start(found, figures))


def _figure(one: Measured, label: str, table: pd.DataFrame) -> go.Figure:
    """Median of matched and of mismatched pairs against the cut, between the least and the greatest."""
    fig = style.grid(1, 1, height=460)
    for kind, color in KINDS.items():
        r = table[table["kind"] == kind].groupby("cut")["r"]
        low, middle, high = r.min(), r.median(), r.max()
        fig.add_traces(warm_ups.band(middle.index.tolist(), low, middle, high, f"loss of {kind}", color))
    return warm_ups.framed(fig, one, f"{label}; median, least, greatest", one.study.by_seeds[label])


def cut_sentence(one: Measured, table: pd.DataFrame) -> str:
    """For how many students r with the run's own loss is another than with others', and by how much; at other cuts."""
    part = table[(table["cut"] == one.study.warm_up) & table["label"].isin(one.enough)]
    medians = (part.loc[part["kind"] == kind, "r"].median() for kind in ("same run", "other seed"))
    same, other = (words.number(median, "{:.3f}") for median in medians)
    found = _own(part, one)
    signs = np.sign(part[part["kind"] == "same run"].groupby("label")["r"].median())  # of a negative r higher is weaker
    ways = {
        how: [label for label, own in found.items() if own.side * signs[label] == way]
        for how, way in (("more closely", 1), ("less closely", -1))
    }
    clear = [own for own in found.values() if own.side]
    sizes = [abs(own.mean) for own in clear or found.values()]
    size = f"{'these' if clear else 'they'} are {min(sizes):.3f} to {max(sizes):.3f} in size"
    seen = (
        style.joined(f"{how} for {style.joined(labels)}" for how, labels in ways.items() if labels)
        if more_than_chance(found.values())
        else "not seen"
    )
    return (
        f"{seen}; the interval of the difference leaves out zero for {off_zero(found.values(), 'student')}; {size}. "
        f"Without the first {one.study.warm_up} epochs r with the run's own loss is {same} at the median, with another "
        f"seed's {other}."
    )


def _own(table: pd.DataFrame, one: Measured) -> dict[str, Estimate]:
    """How much higher r is with the run's own loss, of the students with seeds enough."""
    return mismatched_pairs.own(table[table["label"].isin(one.enough)])
