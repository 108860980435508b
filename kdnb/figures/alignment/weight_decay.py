"""The same students with and without weight decay."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from kdnb.analysis import selection
from kdnb.analysis.selection import ChapterParameters, Study
from kdnb.figures import intervals, mu_curves, style
from kdnb.figures.alignment import ladder
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.runs import Run

LOOKS = {5e-4: ("circle", "solid"), 0.0: ("circle-open", "dot")}  # the field's decay, and the paper's other statement
RUNGS = {
    column: look for column, look in mu_curves.RUNGS.items() if column.startswith("mu_")
}  # the bystander's: in words
SAID = {
    "weight_norm": "‖W_s‖",
    "mu_raw": "raw μ",
    "mu_rotated": "rotated μ",
    "bystander_mu_rotated": "the bystander's",
}
Pair = Mapping[float, Sequence[Run]]


def pair(chosen: ChapterParameters, study: Study) -> Pair:
    """By weight decay, the students that were trained with both; empty where one of the two was never trained."""
    found: dict[float, Sequence[Run]] = {}
    for decay in LOOKS:
        try:
            other = selection.load(replace(chosen, output_dir=str(study.folder), weight_decay=decay))
        except FileNotFoundError:
            return {}
        found[decay] = other.students
    common = set.intersection(*({run.label for run in runs} for runs in found.values()))
    return {decay: [run for run in runs if run.label in common] for decay, runs in found.items()} if common else {}


@exhibit(
    "rungs-and-decay",
    "Mu of the last epoch for each student, raw to rotated, with weight decay filled and without it hollow.",
)
def with_and_without(study: Study, runs: Pair) -> Exhibit:
    """Every mu of the last epoch, with decay filled and solid, without it hollow and dotted."""
    if not runs:
        return Exhibit(says=sentence(runs))
    fig = style.grid(1, 1, height=500)
    for decay, (symbol, dash) in LOOKS.items():
        for column, (name, color, _) in RUNGS.items():
            values = [run.last(column) for run in runs[decay]]
            trace = ladder.rung(runs[decay], values, name, {"color": color, "dash": dash, "width": 1.5}, symbol)
            hover = f"%{{x}}, weight decay {decay:g}<br>{name}: %{{y:.3g}}<extra></extra>"
            fig.add_trace(trace.update(legendgroup=name, showlegend=symbol == "circle", hovertemplate=hover))
    fig.update_yaxes(title_text="μ", rangemode="tozero")
    intervals.axis(fig, [run.label for run in runs[0.0]])
    what = f"epoch {study.epochs}; weight decay {' and '.join(f'{decay:g}' for decay in LOOKS)} (hollow)"
    return Exhibit(style.captioned(fig, study, what, [run for each in runs.values() for run in each]), sentence(runs))


def sentence(runs: Pair) -> str:
    """What leaving decay out does to the norm, to raw mu and to what a rotation leaves of it."""
    if not runs:
        return "There are no students here that were trained both with weight decay and without."
    shown = [run.label for run in runs[0.0] if run.label in ("normal", "KD T=4")] or [runs[0.0][0].label]
    said = []
    for label in shown:
        decayed, free = (next(run for run in runs[decay] if run.label == label) for decay in LOOKS)
        parts = [
            f"{name} {free.last(column):.3g} in place of {decayed.last(column):.3g}"
            for column, name in SAID.items()
            if column in free.history and column in decayed.history
        ]
        said.append(f"for **{label}** {style.joined(parts)}")
    return f"Without weight decay, at the last epoch: {'; '.join(said)}."
