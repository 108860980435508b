"""Why the classifier is long at a high T: the student's logits have to reach the scale of the teacher's."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import NamedTuple

import plotly.graph_objects as go

from kdnb.analysis import norms, over_seeds, words
from kdnb.analysis.over_seeds import Estimate, estimate
from kdnb.analysis.study import Study
from kdnb.figures import intervals, style
from kdnb.figures.correlation.norms import NORM
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.runs import Run

HELD = 0.05  # a scale is the teacher's within this share of it
KEPT = 0.01  # features keep their length within this share of it; said before the frozen students were trained
FROZEN = {"frozen": "W<sub>t</sub> frozen", "foreign": "W<sub>o</sub> frozen"}
COLUMNS = ("logit_std", "reference_logit_std", "feature_norm", "weight_norm")
# What changes after the warm-up: how it is named, and its symbol.
CHANGES = {"feature_norm": ("length of features", "circle"), "weight_norm": (NORM, "diamond-open")}
Labelled = Mapping[str, list[Run]]
Groups = Mapping[float, Labelled]  # by weight decay


@exhibit(
    "logit-scale-{of}",
    "The scale of students' logits over their teacher's, a colour a weight decay; below, how lengths change.",
)
def by_temperature(study: Study) -> Exhibit:
    """Above: the logits' scale over that of the teacher's; below: the change of ||W_s|| and of the features' length.

    Of normal training, KD at every T, and students whose W_s is frozen; a colour a weight decay where several were
    trained.
    """
    groups, frozen = _groups(study), _frozen(study)
    answer = sentence(study, groups, frozen)
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
        for row, trace in _traces(study, mine, frozen.get(decay, {}), name, color):
            fig.add_trace(trace.update(legendgroup=name), row, 1)
    for what, symbol in CHANGES.values():
        look = {"color": style.OTHER, "symbol": symbol, "size": 10}
        fig.add_scatter(x=[None], y=[None], mode="markers", name=f"below: {what}", marker=look)
    fig.add_hline(1, line={"color": style.QUIET, "width": 1}, row=1, col=1)
    fig.add_hline(0, line={"color": style.QUIET, "width": 1}, row=2, col=1)
    fig.update_yaxes(**style.shares(".1%"), row=2, col=1)
    drawn = [{**mine, **frozen.get(decay, {})} for decay, mine in groups.items()]
    intervals.axis(fig, list(dict.fromkeys(label for mine in drawn for label in mine)))
    fig.update_layout(legend={"orientation": "h", "y": -0.12, "yanchor": "top", "x": 0}, margin_b=90)
    shown = [run for mine in drawn for runs in mine.values() for run in runs]
    style.captioned(fig, study, f"last epoch; below, {style.window(study)}", shown)
    return Exhibit(fig, answer=answer, of=study.name)


def _groups(study: Study) -> Groups:
    """Normal training and KD by weight decay and label, as far as their histories tell lengths and scales."""
    several = norms.by_decay(study)
    mine = {label: runs for label, runs in study.groups.items() if runs[0].spec.method in ("normal", "kd")}
    return _telling(several if len(several) > 1 else {study.leading.spec.weight_decay: mine})


def _frozen(study: Study) -> Groups:
    """Students whose classifier is frozen at a teacher's, by weight decay and whose it is."""
    found = norms.by_decay(study, FROZEN)
    by_method = {decay: {runs[0].spec.method: runs for runs in mine.values()} for decay, mine in found.items()}
    return _telling({d: {FROZEN[name]: mine[name] for name in FROZEN if name in mine} for d, mine in by_method.items()})


def _telling(every: Groups) -> Groups:
    """Those whose histories tell lengths and scales."""
    told = {
        decay: {label: there for label, runs in groups.items() if (there := over_seeds.having(runs, *COLUMNS))}
        for decay, groups in every.items()
    }
    return {decay: groups for decay, groups in told.items() if groups}


def scale(run: Run) -> float:
    """Of a student's logits (their deviation from an image's mean) over that of its teacher's, last epoch."""
    return run.last("logit_std") / run.last("reference_logit_std")


def _read(groups: Labelled, read: Callable[[Run], float]) -> dict[str, Estimate]:
    """What ``read`` finds over seeds, by label."""
    return {label: estimate(map(read, runs)) for label, runs in groups.items()}


def _traces(study: Study, mine: Labelled, frozen: Labelled, name: str, color: str) -> list[tuple[int, go.Scatter]]:
    """Each with its row: of the scale its mean with intervals, where W_s is free on a line, and a dot a seed; of both
    changes their means.
    """
    made = []
    for groups, mode in ((mine, "lines+markers"), *([(frozen, "markers")] if frozen else [])):
        dots, means = intervals.points(_read(groups, scale), name, "scale", {"color": color, "symbol": "circle"})
        means.update(mode=mode, line={"color": color, "width": 1.5}, showlegend=groups is mine)
        made += [(1, dots), (1, means)]
    for column, (what, symbol) in CHANGES.items():
        found = _read({**mine, **frozen}, partial(study.change, column))
        look = {"color": color, "symbol": symbol, "size": 8 if symbol == "circle" else 13}
        *_, means = intervals.points(found, f"{name}, {what}", "", look, intervals.in_percent)
        made.append((2, means.update(error_y=None, showlegend=False)))
    return made


# --------------------------------------------------------------------------------------------------------------- words
def sentence(study: Study, groups: Groups, frozen: Groups) -> str:
    """At which T the scale is the teacher's under each decay, how far it is elsewhere; whether lengths part there.

    And whether features keep their length where that of W_s is held.
    """
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
    return words.sentence("; ".join(told)) + _following(_beside(study, groups, frozen))


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


class Beside(NamedTuple):
    """How the length of features changes with W_s frozen, and in KD of the same T and weight decay."""

    decay: float
    label: str  # KD's
    frozen: Estimate
    free: Estimate
    apart: Estimate  # KD's less the frozen one's, seed by seed


def _beside(study: Study, groups: Groups, frozen: Groups) -> list[Beside]:
    """Those that have seeds enough in common with KD."""
    found = []
    for decay, runs in ((decay, runs) for decay, mine in frozen.items() for runs in mine.values()):
        label = f"KD T={runs[0].spec.method_parameters['temperature']:g}"
        both = runs, groups.get(decay, {}).get(label, [])
        held, free = ({run.spec.init_seed: study.change("feature_norm", run) for run in some} for some in both)
        apart = estimate(over_seeds.minus(free, held).values())
        found.append(Beside(decay, label, estimate(held.values()), estimate(free.values()), apart))
    return [one for one in found if one.apart.enough]


def _following(found: list[Beside]) -> str:
    """Whether features keep their length where that of W_s is held; empty without such students."""
    if not found:
        return ""
    kept = sum(abs(one.frozen.mean) <= KEPT for one in found)
    decays = dict.fromkeys(one.decay for one in found)
    clear = [f"{decay:g}" for decay in decays if all(one.apart.side for one in found if one.decay == decay)]
    off = over_seeds.off_zero(
        [one.apart for one in found], named=f" (all with a weight decay of {style.joined(clear)})" if clear else ""
    )
    return (
        f" **With W<sub>s</sub> frozen features keep their length within {KEPT:.0%} in {kept} of {len(found)} means "
        f"({_percents(one.frozen for one in found)}); that of {found[0].label} changes by "
        f"{_percents(one.free for one in found)}, and the interval of the difference leaves out zero for {off}.**"
    )


def _percents(found: Iterable[Estimate]) -> str:
    means = [one.mean for one in found]
    return " to ".join(dict.fromkeys(words.number(end, "{:+.1%}") for end in (min(means), max(means))))
