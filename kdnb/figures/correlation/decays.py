"""r of mu and the loss where nothing but weight decay is another."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from kdnb.analysis import correlations, norms, stats, words
from kdnb.analysis.over_seeds import Estimate, estimate
from kdnb.analysis.students import PEAK
from kdnb.analysis.study import Study
from kdnb.figures import intervals, style
from kdnb.figures.correlation.norms import CURVES
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.runs import Run

# What r is of: its symbol and size, one around the other, so that three that agree are seen.
RINGS = {"mu_raw": ("circle", 8), "bystander_mu_raw": ("circle-open", 14), "weight_norm": ("diamond-open", 20)}
R = Mapping[str, Mapping[str, Estimate]]  # by column and label


@exhibit(
    "r-by-decay-{of}",
    "r with the loss of mu, of mu to the bystander and of the classifier's norm by student, a colour a weight decay.",
)
def r_by_decay(study: Study) -> Exhibit:
    """r of normal training and of KD at every T, a colour a weight decay: to the teacher, the bystander, of ||W_s||."""
    every = norms.by_decay(study)
    found = _every(study)
    if len(every) < 2:
        return Exhibit(answer=sentence(found), of=study.name)
    fig = style.grid(1, 1, height=520)
    for place, (decay, r) in enumerate(found.items()):
        fig.add_traces(_traces(f"weight decay {decay:g}", r, style.temperature_color(1 + place, len(found))))
    fig.add_hline(0, line={"color": style.QUIET, "width": 1})
    fig.update_yaxes(title_text="Pearson r with the loss", range=[-1.08, 1.08])
    intervals.axis(fig, list(next(iter(every.values()))))
    fig.update_layout(legend={"orientation": "h", "y": -0.2, "yanchor": "top", "x": 0}, margin_b=90)
    shown = [run for groups in every.values() for runs in groups.values() for run in runs]
    return Exhibit(style.captioned(fig, study, style.window(study), shown), answer=sentence(found), of=study.name)


def _every(study: Study) -> dict[float, R]:
    return {decay: read(study, groups) for decay, groups in norms.by_decay(study).items()}


def _traces(name: str, r: R, color: str) -> list[go.Scatter]:
    """Of r of mu a line with intervals and a dot a seed; around its points rings of the other two."""
    made = []
    for column, (symbol, size) in RINGS.items():
        look = {"color": color, "symbol": symbol, "size": size}
        dots, means = intervals.points(r[column], f"{name}, r of {CURVES[column]}", "", look)
        made.append(means.update(showlegend=False, legendgroup=name))
        if column == "mu_raw":
            means.update(mode="lines+markers", line={"color": color, "width": 1.5}, name=name, showlegend=True)
            made.append(dots.update(legendgroup=name))
        else:
            means.update(error_y=None)
    return made


def read(study: Study, groups: Mapping[str, list[Run]]) -> R:
    """r after the warm-up of each column of RINGS, by label over seeds."""
    return {
        column: {
            label: estimate(
                (correlations.r_after(run, study.warm_up, column) for run in runs),
                stats.mean_correlation,
                stats.mean_correlation_interval,
            )
            for label, runs in groups.items()
        }
        for column in RINGS
    }


def sentence(found: Mapping[float, R]) -> str:
    """At which T r is positive with each weight decay, the greatest first; r at one T; how far the bystander's is."""
    falling = sorted(found, reverse=True)
    if len(found) < 2:
        return "**Whether weight decay turns r cannot be told: no students here differ in it.**"
    first, *others = (_where(found[decay]) for decay in falling)
    less = (f"{f'with {decay:g}' if decay else 'without'} {at}" for decay, at in zip(falling[1:], others, strict=True))
    where = ", ".join([f"With a weight decay of {falling[0]:g} r is positive {first}", *less])
    at, r = _near_peak(found)
    apart, rest = _apart(found[falling[0]]), float(np.max([_apart(found[decay]) for decay in falling[1:]]))
    told = np.isfinite(apart) and np.isfinite(rest)
    beside = f"; the bystander's differs by at most {apart:.3f}, with less decay {rest:.3f}" if told else ""
    return f"**{where}; at T = {at:g} it is {style.joined(r.values())}{beside}.**"


def brief(study: Study) -> str:
    """r at one T with the greatest decay and with the least, in a clause; empty where decay does not differ."""
    if len(found := _every(study)) < 2:
        return ""
    at, r = _near_peak(found)
    (most, high), *_, (least, low) = r.items()
    return (
        f"at T = {at:g} r is {high} with a weight decay of {most:g} and {low} with {f'{least:g}' if least else 'none'}"
    )


def _near_peak(found: Mapping[float, R]) -> tuple[float, dict[float, str]]:
    """The T of the paper's peak, or the nearest there is; mean r there by decay, the greatest first, in words."""
    kd = {decay: _kd(found[decay]) for decay in sorted(found, reverse=True)}
    at = min(next(iter(kd.values())), key=lambda t: abs(t - PEAK))
    return at, {decay: words.number(mine[at].mean, "{:+.2f}") for decay, mine in kd.items()}


def _kd(r: R) -> dict[float, Estimate]:
    """r of mu by temperature."""
    return {float(label.removeprefix("KD T=")): one for label, one in r["mu_raw"].items() if label.startswith("KD")}


def _where(r: R) -> str:
    """At which T r is positive: from three seeds on by its whole interval, else by its mean."""
    kd = _kd(r)
    above = [t for t, one in kd.items() if (one.side if one.enough else one.mean) > 0]
    seeds = words.span([len(one.values) for one in kd.values()], "seed")
    return f"at {'every T' if len(above) == len(kd) else f'T = {style.joined(above)}' if above else 'none'} ({seeds})"


def _apart(r: R) -> float:
    """The greatest distance of a student's mean r from that to the bystander; nan where one has none."""
    return float(np.max([abs(one.mean - r["bystander_mu_raw"][label].mean) for label, one in r["mu_raw"].items()]))
