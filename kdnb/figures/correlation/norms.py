"""Is the paper's correlation the length of the student's classifier?"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import plotly.graph_objects as go

from kdnb.analysis import correlations, norms, over_seeds, stats, words
from kdnb.analysis.study import Study
from kdnb.claims.book import STATEMENTS
from kdnb.claims.judge import Word, verdict
from kdnb.claims.thresholds import NINE_TENTHS, SAME_R
from kdnb.figures import claim_words, intervals, style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.runs import Run

LENGTH: Mapping[Word, str] = {
    "holds": "What r shows is the length of W<sub>s</sub>",
    "does not hold": "What r shows is not only the length of W<sub>s</sub>",
}
OPEN = "Over seeds it is open whether r shows the length of W<sub>s</sub>"
PAPERS_R = {"KD": 0.972, "normal training": -0.971}  # KD's at a T that the paper does not name
NORM = "‖W<sub>s</sub>‖"
CURVES = {**correlations.SIDES, "weight_norm": NORM}
LOOKS = {
    "mu_raw": {"color": style.TEACHER, "dash": "solid", "symbol": "circle"},
    "bystander_mu_raw": {"color": style.BYSTANDER, "dash": "dash", "symbol": "circle-open"},
    "weight_norm": {"color": style.MSE, "dash": "dot", "symbol": "diamond-open"},
}


@exhibit(
    "r-by-temperature-{of}",
    "r with the loss of mu, of mu to the bystander and of the classifier's norm against T; change of the norm.",
)
def by_temperature(study: Study) -> Exhibit:
    """Fig. 6, with its controls, as :func:`draw`; a slider moves the end of the warm-up."""
    return Exhibit(draw(study) if study.kd else None, answer=sentence(study), of=study.name)


def draw(study: Study) -> go.Figure:
    """Above: r with the loss of mu, of mu to the bystander, of ||W_s||, against T; below: the change of ||W_s||.

    Lines: means after the warm-up over the seeds that all these students have; dots: every seed; the paper's two r and
    normal training across.
    """
    fig = style.grid(2, 1, height=660, shared_xaxes=True, vertical_spacing=0.07, row_heights=[0.65, 0.35])
    for trace, row in _traces(study, study.warm_up):
        fig.add_trace(trace, row, 1)
    for value in PAPERS_R.values():
        fig.add_hline(value, line={"color": style.QUIET, "width": 1, "dash": "dash"}, row=1, col=1)
        said = {"text": "the paper: " + words.number(value, "{:+.2f}"), "x": 1, "xref": "x domain", "xanchor": "right"}
        fig.add_annotation(y=value, showarrow=False, yshift=9 if value > 0 else -9, row=1, col=1, **said)
    for row in (1, 2):
        fig.add_hline(0, line={"color": style.QUIET, "width": 1}, row=row, col=1)
    fig.update_yaxes(title_text="Pearson r with the loss", range=[-1.2, 1.2], hoverformat=".3f", row=1, col=1)
    fig.update_yaxes(title_text="change of ‖W<sub>s</sub>‖", **style.shares("+.1%", "+.2%"), row=2, col=1)
    style.temperature_axis(fig, study, row=2, col=1)
    fig.update_layout(legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0}, margin_t=110)
    fig.update_layout(sliders=[_cuts(study)] if study.warm_up in correlations.cuts(study) else [])
    shown = [run for group in _students(study).values() for run in group]
    what = f"of {words.counted(study.epochs, 'epoch')}, those after the warm-up"
    if len(shown) > sum(map(len, (drawn := over_seeds.common(_students(study))).values())):
        what += f"; {style.means_of(drawn, shown)}"
    return style.captioned(fig, study, what, shown or study.students)


def _students(study: Study) -> dict[str, list[Run]]:
    """Every seed of KD by rising T, and of normal training, by label."""
    compared = [*study.kd.values(), *filter(None, [study.get("normal")])]
    return {run.label: study.groups[run.label] for run in compared}


def _traces(study: Study, cut: int) -> list[tuple[go.Scatter, int]]:
    """Every trace with its row: three curves and normal training's level after ``cut`` epochs; the norm's change."""
    after, traces = replace(study, warm_up=cut), []
    common = over_seeds.common(_students(study))
    drawn, dotted = ({t: groups[run.label] for t, run in study.kd.items()} for groups in (common, _students(study)))
    for column, name in CURVES.items():
        lines, dots = (
            _read(groups, partial(correlations.r_after, cut=cut, column=column)) for groups in (drawn, dotted)
        )
        if lines:
            of_r = intervals.course(lines, f"r of {name}", LOOKS[column], stats.mean_correlation, dots)
            traces += [(trace, 1) for trace in of_r]
    if normal := study.get("normal"):
        r = stats.mean_correlation([correlations.r_after(run, cut) for run in common[normal.label]])
        traces.append((style.across(study, normal, r, "r of μ, mean over seeds"), 1))
    moved = [_read(groups, partial(after.change, "weight_norm")) for groups in (drawn, dotted)]
    for trace in (
        intervals.course(moved[0], f"change of {NORM}", LOOKS["weight_norm"], dotted=moved[1]) if drawn else ()
    ):
        traces.append((trace.update(showlegend=False), 2))
    return traces


def _read(groups: Mapping[float, list[Run]], read: Callable[[Run], float]) -> dict[float, list[float]]:
    return {temperature: [read(run) for run in group] for temperature, group in groups.items()}


def _cuts(study: Study) -> dict[str, object]:
    """A slider of warm-ups: each puts its r and its change of the norm in the place of those that are drawn."""
    cuts = correlations.cuts(study)
    steps = [
        {"label": f"{cut}", "method": "restyle", "args": [{"y": [list(trace.y) for trace, _ in _traces(study, cut)]}]}
        for cut in cuts
    ]
    look = {"x": 0, "len": 1, "y": -0.1, "yanchor": "top", "pad": {"t": 26}}
    return {"steps": steps, "active": cuts.index(study.warm_up), "currentvalue": {"prefix": "warm-up, epochs: "}} | look


def sentence(study: Study) -> str:
    """Whether r goes with T as in the paper; whether it is r of the norm, and its sign what the norm does."""
    ends = "" if norms.table(study.shown, study.warm_up).empty else f"{_ends(study)}. "
    return words.sentence(f"{ends}{of_the_length(study)}")


def of_the_length(study: Study) -> str:
    """Whether r is r of the norm, and its sign what the norm does, in a clause."""
    found = norms.table(study.shown, study.warm_up)
    if found.empty:
        return "Cannot be told here: no student has a μ whose r could be compared"
    agree = int(found["signs_agree"].sum())
    (same,) = (one for one in STATEMENTS if one.id == "S13")
    judged = verdict(same, study.seeds)
    of = f"all {agree}" if agree == len(found) else f"{agree}"
    alike = (
        f"over {words.counted(len(found), 'student')} they differ by {found['gap'].median():.3f} at the median "
        f"(at most {found['gap'].max():.3f}); the sign is that of a norm that shrinks (+) or grows (−) in {of}"
    )
    verb = LENGTH.get(judged.verdict, OPEN)
    if judged.verdict == "undecided" and over_seeds.estimate(SAME_R - gap for gap in judged.values["gap"]).side > 0:
        verb = f"In size r of μ is r of {NORM}"
        alike += f", too few to say {NINE_TENTHS:.0%}"
    return f"{verb}: {alike}"


def _ends(study: Study) -> str:
    """What became of C4, and r at three temperatures, over the seeds that all have."""
    groups = over_seeds.common({t: study.groups[run.label] for t, run in study.kd.items()})
    r = {
        t: stats.mean_correlation([correlations.r_after(run, study.warm_up) for run in group])
        for t, group in groups.items()
    }
    known = {t: value for t, value in r.items() if np.isfinite(value)}
    if not known:
        return claim_words.found(study, "C4")
    top = max(known, key=known.__getitem__)
    told = [f"{words.number(known[t], '{:.2f}')} at T = {t:g}" for t in dict.fromkeys((min(known), top, max(known)))]
    found, n = claim_words.found(study, "C4", groups[top]), words.counted(len(groups[top]), "seed")
    return f"{found}: r is {style.joined(told)}, greatest at T = {top:g} (the paper: 4; {n})"
