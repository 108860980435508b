"""Is the paper's correlation the length of the student's classifier, and what sets that length?"""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import correlations, norms, over_seeds
from kdnb.analysis.selection import Study
from kdnb.figures import intervals, style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.runs import Run

PAPERS_R = 0.972  # of the paper, in size, of KD (at a T that it does not name) and of normal training
CURVES = {**correlations.SIDES, "weight_norm": "‖W_s‖"}
LOOKS = {
    "mu_raw": {"color": style.TEACHER, "dash": "solid", "symbol": "circle"},
    "bystander_mu_raw": {"color": style.BYSTANDER, "dash": "dash", "symbol": "circle-open"},
    "weight_norm": {"color": style.NORMAL, "dash": "dot", "symbol": "diamond-open"},
}
TITLES = {"weight_norm": "‖W_s‖", "feature_norm": "mean ‖f_s‖ of a test image", "logit_std": "spread of the logits"}
DASHES = ("solid", "dash", "dot", "dashdot")


@exhibit(
    "norms-by-temperature",
    "r with the loss of mu, of mu to the bystander and of the classifier's norm against T; change of the norm.",
)
def by_temperature(study: Study) -> Exhibit:
    """Above: r with the loss of mu, of mu to the bystander, of ||W_s||, against T; below: the change of ||W_s||.

    Lines: means over seeds after the warm-up; dots: seeds; the paper's two r across.
    """
    fig = style.grid(2, 1, height=620, shared_xaxes=True, vertical_spacing=0.07, row_heights=[0.65, 0.35])
    groups = over_seeds.groups(study)
    students = {temperature: groups[run.label] for temperature, run in study.kd.items()}
    for column, name in CURVES.items():
        read = {t: [correlations.r_after(run, study.warm_up, column) for run in group] for t, group in students.items()}
        for trace in intervals.course(read, f"r of {name}", LOOKS[column], ".3f"):
            fig.add_trace(trace, 1, 1)
    moved = {t: [study.change("weight_norm", run) for run in group] for t, group in students.items()}
    for trace in intervals.course(moved, "change of ‖W_s‖", LOOKS["weight_norm"], "+.2%"):
        fig.add_trace(trace.update(showlegend=False), 2, 1)
    for value in (PAPERS_R, -PAPERS_R):
        fig.add_hline(value, line={"color": style.QUIET, "width": 1, "dash": "dash"}, row=1, col=1)
    fig.add_annotation(
        text="the paper: ±0.97", x=1, xref="x domain", y=PAPERS_R, showarrow=False, yshift=9, row=1, col=1
    )
    for row in (1, 2):
        fig.add_hline(0, line={"color": style.QUIET, "width": 1}, row=row, col=1)
    fig.update_yaxes(title_text="Pearson r with the loss", range=[-1.12, 1.12], row=1, col=1)
    fig.update_yaxes(title_text="change after warm-up", tickformat="+.1%", row=2, col=1)
    style.temperature_axis(fig, study, row=2, col=1)
    fig.update_layout(legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0})
    fig.update_layout(margin_t=96)
    return Exhibit(
        style.captioned(fig, study, style.window(study), [run for group in students.values() for run in group]),
        sentence(study),
    )


def sentence(study: Study) -> str:
    """Whether r of mu is r of the norm, over all students of the study, and whether its sign is what the norm does."""
    found = norms.table(study.shown)
    if found.empty:
        return "No student here has a μ that could be compared with ‖W_s‖."
    agree = int(found["signs_agree"].sum())
    yes = found["gap"].median() <= 0.1 and agree >= 0.9 * len(found)
    return (
        f"**{'Yes' if yes else 'No'}: over {len(found)} students r of μ and r of ‖W_s‖ differ by "
        f"{found['gap'].median():.3f} at the median (at most {found['gap'].max():.2f}), and in {agree} of them r is "
        f"positive where ‖W_s‖ shrinks after the warm-up and negative where it grows.** No teacher is in that sentence."
    )


@exhibit(
    "lengths-by-temperature",
    "Norm of the classifier, length of the features and spread of the logits against T, a line a weight decay.",
)
def lengths(study: Study) -> Exhibit:
    """||W_s||, the features' length and the logits' spread at the last epoch against T, a line a weight decay."""
    every = norms.everything(study)
    if not every:
        return Exhibit(says=lengths_sentence(study, every))
    found = norms.scales(every)
    fig = style.grid(3, 1, list(TITLES.values()), 760, shared_xaxes=True, vertical_spacing=0.07)
    decays = sorted(found["weight_decay"].unique())
    for place, decay in enumerate(decays):
        mean = found[found["weight_decay"] == decay].groupby("temperature")[list(norms.SCALES)].mean()
        color = style.temperature_color(1 + place, max(2, len(decays)))
        for row, column in enumerate(TITLES, start=1):
            name = f"weight decay {decay:g}"
            look = {"color": color, "dash": DASHES[place % len(DASHES)], "width": 2}
            trace = go.Scatter(x=list(mean.index), y=style.significant(mean[column]), name=name, line=look)
            hover = f"{name}, T = %{{x}}<br>{TITLES[column]}: %{{y:.3g}}<extra></extra>"
            fig.add_trace(trace.update(mode="lines+markers", hovertemplate=hover, showlegend=row == 1), row, 1)
    if study.teacher is not None and "logit_std" in study.teacher.history:
        level = float(study.teacher.history["logit_std"].iloc[-1])
        fig.add_hline(level, line={"color": style.TEACHER, "width": 1.5, "dash": "dash"}, row=3, col=1)
        fig.add_annotation(text="the teacher", x=1, xref="x domain", y=level, showarrow=False, yshift=9, row=3, col=1)
    fig.update_yaxes(rangemode="tozero")
    style.temperature_axis(fig, study, row=3, col=1)
    return Exhibit(style.captioned(fig, study, "last epoch, mean over seeds", every), lengths_sentence(study, every))


def lengths_sentence(study: Study, every: Sequence[Run]) -> str:
    """How the three go from the lowest to the highest T, and what weight decay does to them."""
    found = norms.scales(every)
    if not every:
        return "These histories are from before features' lengths and logits' spread were recorded."
    mine = found[found["weight_decay"] == study.students[0].spec.weight_decay]
    parts = [f"{name} from {_at(mine, column, 'min')} to {_at(mine, column, 'max')}" for column, name in TITLES.items()]
    low, high = mine["temperature"].min(), mine["temperature"].max()
    text = f"From T = {low:g} to T = {high:g}: {style.joined(parts)}."
    decays = sorted(found["weight_decay"].unique())
    if len(decays) > 1:
        by_decay = found.groupby("weight_decay")[list(norms.SCALES)].mean()
        ends = [
            f"{name} {by_decay[column].iloc[0]:.3g} and {by_decay[column].iloc[-1]:.3g}"
            for column, name in TITLES.items()
        ]
        text += f" Mean over T at weight decay {decays[0]:g} and {decays[-1]:g}: {style.joined(ends)}."
    return text


def _at(table: pd.DataFrame, column: str, end: str) -> str:
    temperature = getattr(table["temperature"], end)()
    return f"{table.loc[table['temperature'] == temperature, column].mean():.3g}"
