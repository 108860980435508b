"""The second pair of networks: does mu look the same where the features are as wide as the paper's?"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import plotly.graph_objects as go

from kdnb import paths
from kdnb.analysis import alignment, correlations
from kdnb.analysis.selection import StudiesParameters, Study
from kdnb.figures import intervals, style
from kdnb.figures.exhibit import Exhibit, exhibit

PROFILES = ("digits", "digits-wide")  # the same images, other widths
KINDS = {
    "mu_raw": ("raw", "#0072b2", "solid"),
    "bystander_mu_raw": ("raw, to the bystander", style.BYSTANDER, "dash"),
    "mu_matched": ("matched", "#009e73", "solid"),
    "mu_rotated": ("rotated", "#cc79a7", "solid"),
    "bystander_mu_rotated": ("rotated, to the bystander", style.BYSTANDER, "dot"),
}


def load(chosen: StudiesParameters) -> dict[str, Study]:
    """The narrow pair and, where it is published, the wide one, by profile."""
    root = Path(chosen.results_dir) if chosen.results_dir else paths.results("")
    there = tuple(name for name in PROFILES if (root / name).is_dir())
    return replace(chosen, profiles=there).studies(methods=("normal", "kd")) if there else {}


@exhibit(
    "second-pair",
    "r of mu and the loss, and mu at the last epoch beside unrelated classifiers, against T for two pairs.",
)
def second_pair(shown: Mapping[str, Study]) -> Exhibit:
    """A column a pair: r with the loss against T above, each mu beside nothing in common below; normal at the left."""
    if len(shown) < 2:
        return Exhibit(says=sentence(shown))
    titles = [f"{style.networks(study.students[0].spec)}<br>D = {width(study)}" for study in shown.values()]
    fig = style.grid(2, len(shown), titles, 620, shared_xaxes=True, shared_yaxes=True, vertical_spacing=0.1)
    for col, study in enumerate(shown.values(), 1):
        runs = [run for run in study.students if run.spec.method in ("normal", "kd")]
        x = [intervals.short(run.label) for run in runs]
        for column in correlations.SIDES:
            name, color, dash = KINDS[column]
            r = [correlations.r_after(run, study.warm_up, column) for run in runs]
            fig.add_trace(_trace(x, r, name, color, dash), 1, col)
        for column, (name, color, dash) in KINDS.items():
            y = [alignment.share(study, run, column) for run in runs]
            fig.add_trace(_trace(x, y, name, color, dash).update(showlegend=col == 1), 2, col)
    fig.update_xaxes(type="category", tickangle=-60)
    fig.update_yaxes(range=[-1.08, 1.08], row=1)
    fig.update_yaxes(range=[0, 1.25], row=2)
    fig.update_yaxes(title_text="r of μ and loss", row=1, col=1)
    fig.update_yaxes(title_text="μ / nothing in common", row=2, col=1)
    fig.update_layout(legend={"orientation": "h", "y": -0.14}, margin_t=116)  # captions and titles of several lines
    first = next(iter(shown.values()))
    return Exhibit(
        style.captioned(fig, first, "and the second pair", [run for study in shown.values() for run in study.students]),
        sentence(shown),
    )


def _trace(x: list[str], y: list[float], name: str, color: str, dash: str) -> go.Scatter:
    look = {"color": color, "dash": dash, "width": 2}
    hover = f"{name}<br>%{{x}}: %{{y:.3f}}<extra></extra>"
    trace = go.Scatter(x=x, y=style.significant(y), name=name, line=look, showlegend=False, legendgroup=name)
    return trace.update(mode="lines+markers", marker={"size": 7}, hovertemplate=hover)


def width(study: Study) -> int:
    """Features of the students, D."""
    return int(study.students[0].trace()[0].shape[2])


def sentence(shown: Mapping[str, Study]) -> str:
    """For each pair what is left of mu, and how r with teacher and bystander differ; or what is missing."""
    said = []
    for study in shown.values():
        run = study.nearest(4) or study.students[0]
        parts = [f"{name} {alignment.share(study, run, column):.2f}" for column, (name, *_) in KINDS.items()]
        gaps = correlations.gaps(study)
        told = f" r with the teacher and r with the bystander differ by {max(gaps):.2f} at most over T." if gaps else ""
        said.append(
            f"**{style.networks(study.students[0].spec)}** (D = {width(study)}, {run.label}): of the distance of "
            f"classifiers with nothing in common there remain {style.joined(parts)}.{told}"
        )
    if missing := [name for name in PROFILES if name not in shown]:
        said.append(f"Not published here yet: {style.joined(missing)}.")
    return " ".join(said)
