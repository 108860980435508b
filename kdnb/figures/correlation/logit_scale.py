"""Why the classifier is long at a high T: the student's logits have to reach the scale of the teacher's."""

from collections.abc import Callable, Mapping
from functools import partial

import plotly.graph_objects as go

from kdnb.analysis import norms, over_seeds, words
from kdnb.analysis.over_seeds import Estimate, estimate
from kdnb.analysis.study import Study
from kdnb.figures import intervals, style
from kdnb.figures.correlation.norms import NORM
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.runs import Run

HELD = 0.05  # a scale is the teacher's within this share of it
COLUMNS = ("logit_std", "reference_logit_std", "feature_norm", "weight_norm")
# What changes after the warm-up: how it is named, and its symbol.
CHANGES = {"feature_norm": ("length of features", "circle"), "weight_norm": (NORM, "diamond-open")}
Groups = Mapping[float, Mapping[str, list[Run]]]  # by weight decay and label


@exhibit(
    "logit-scale-{of}",
    "The scale of students' logits over their teacher's, a colour a weight decay; below, how lengths change.",
)
def by_temperature(study: Study) -> Exhibit:
    """Above: the logits' scale over that of the teacher's; below: the change of ||W_s|| and of the features' length.

    Of normal training and KD at every T, a colour a weight decay where several were trained.
    """
    groups = _groups(study)
    answer = sentence(study, groups)
    if not groups:
        return Exhibit(answer=answer, of=study.name)
    fig = style.grid(
        2,
        1,
        ["scale of logits / the teacher's", "change after the warm-up"],
        720,
        shared_xaxes=True,
        vertical_spacing=0.08,
    )
    for place, (decay, mine) in enumerate(groups.items()):
        name, color = f"weight decay {decay:g}", style.temperature_color(1 + place, len(groups))
        for row, trace in _traces(study, mine, name, color):
            fig.add_trace(trace.update(legendgroup=name), row, 1)
    for what, symbol in CHANGES.values():
        look = {"color": style.OTHER, "symbol": symbol, "size": 10}
        fig.add_scatter(x=[None], y=[None], mode="markers", name=f"below: {what}", marker=look)
    fig.add_hline(1, line={"color": style.QUIET, "width": 1}, row=1, col=1)
    fig.add_hline(0, line={"color": style.QUIET, "width": 1}, row=2, col=1)
    fig.update_yaxes(**style.shares(".1%"), row=2, col=1)
    intervals.axis(fig, list(next(iter(groups.values()))))
    fig.update_layout(legend={"orientation": "h", "y": -0.12, "yanchor": "top", "x": 0}, margin_b=90)
    shown = [run for mine in groups.values() for runs in mine.values() for run in runs]
    drawn = style.captioned(fig, study, f"last epoch; below, {style.window(study)}", shown)
    return Exhibit(drawn, answer=answer, of=study.name)


def _groups(study: Study) -> Groups:
    """Normal training and KD by weight decay and label, as far as their histories tell lengths and scales."""
    several = norms.by_decay(study)
    mine = {label: runs for label, runs in study.groups.items() if runs[0].spec.method in ("normal", "kd")}
    every = several if len(several) > 1 else {study.leading.spec.weight_decay: mine}
    told = {
        decay: {label: there for label, runs in groups.items() if (there := over_seeds.having(runs, *COLUMNS))}
        for decay, groups in every.items()
    }
    return {decay: groups for decay, groups in told.items() if groups}


def scale(run: Run) -> float:
    """Of a student's logits (their deviation from an image's mean) over that of its teacher's, last epoch."""
    return run.last("logit_std") / run.last("reference_logit_std")


def _read(groups: Mapping[str, list[Run]], read: Callable[[Run], float]) -> dict[str, Estimate]:
    """What ``read`` finds over seeds, by label."""
    return {label: estimate(map(read, runs)) for label, runs in groups.items()}


def _traces(study: Study, groups: Mapping[str, list[Run]], name: str, color: str) -> list[tuple[int, go.Scatter]]:
    """Each with its row: of the scale a line with intervals and a dot a seed; of both changes their means."""
    dots, means = intervals.points(_read(groups, scale), name, "scale", {"color": color, "symbol": "circle"})
    means.update(mode="lines+markers", line={"color": color, "width": 1.5}, showlegend=True)
    made = [(1, dots), (1, means)]
    for column, (what, symbol) in CHANGES.items():
        found = _read(groups, partial(study.change, column))
        look = {"color": color, "symbol": symbol, "size": 8 if symbol == "circle" else 13}
        *_, means = intervals.points(found, f"{name}, {what}", "", look, intervals.in_percent)
        made.append((2, means.update(error_y=None, showlegend=False)))
    return made


# --------------------------------------------------------------------------------------------------------------- words
def sentence(study: Study, groups: Groups) -> str:
    """At which T the scale is the teacher's under each decay, how far it is elsewhere; whether lengths part there."""
    ratios: dict[str, list[float]] = {}
    for mine in groups.values():
        for label, one in _read(mine, scale).items():
            ratios.setdefault(label, []).append(one.mean)
    normal = ratios.pop("normal", [])
    if not ratios:
        return "**What holds the scale of logits cannot be told: no student here tells of it.**"
    held = [label for label, found in ratios.items() if max(abs(one - 1) for one in found) <= HELD]
    decays = (
        f", whatever the weight decay ({style.joined(f'{decay:g}' for decay in groups)})" if len(groups) > 1 else ""
    )
    where = f"at T = {style.joined(map(_temperature, held))}{decays}" if held else "at no T"
    elsewhere = {f"at T = {_temperature(label)}": found for label, found in ratios.items() if label not in held}
    elsewhere |= {"in normal training": normal} if normal else {}
    told = [f"students' logits have the scale of their teacher's, within {HELD:.0%}, {where}"]
    told += _parting(study, groups, held)
    told += [f"{at} it is {_span(found)} times that" for at, found in elsewhere.items()]
    return words.sentence("; ".join(told))


def _temperature(label: str) -> str:
    return label.removeprefix("KD T=")


def _span(found: list[float]) -> str:
    return " to ".join(dict.fromkeys(f"{end:.2f}" for end in (min(found), max(found))))


def _parting(study: Study, groups: Groups, held: list[str]) -> list[str]:
    """In how many of the means where the scale is held one length grows after the warm-up and the other shrinks."""
    changes = [[_read(mine, partial(study.change, column)) for column in CHANGES] for mine in groups.values()]
    pairs = [[one[label].mean for one in both] for both in changes for label in held if label in both[0]]
    apart = sum(features * norm < 0 for features, norm in pairs)
    told = f"in {apart} of {len(pairs)} means there {NORM} grows where features shrink, or shrinks where they grow"
    return [told] if pairs else []
