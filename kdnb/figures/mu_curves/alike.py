"""Curves of which the paper says that they are alike: of DIST and KD (Fig. 7), of mu and the cosine (A.1)."""

import numpy as np

from kdnb.analysis import words
from kdnb.analysis.students import PEAK
from kdnb.analysis.study import Study
from kdnb.figures import claim_words, style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.figures.mu_curves.over_epochs import TWO, at, mean_change, moving, percent
from kdnb.runs.store import column_of


@exhibit("mu-dist-{of}", "Raw mu after the warm-up, DIST alone and KD alone, each on its own axis.")
def dist(study: Study) -> Exhibit:
    """Fig. 7: DIST alone on its own axis, and beside it KD at T = 4 on its own; a thin line a seed."""
    groups = study.groups
    shown = [run for run in (study.get("DIST"), study.nearest(PEAK)) if run]
    if not shown:
        return Exhibit(answer=like_kd(study), of=study.name)
    fig = style.grid(1, len(shown), [run.label for run in shown], 380, horizontal_spacing=0.14)
    for col, run in enumerate(shown, start=1):
        for place, one in enumerate(groups[run.label]):
            look = style.line(one, study.hottest, 1.5) | ({} if place == 0 else {"width": 1})
            trace = style.curve(one.after(study.warm_up), "mu_raw", f"{run.label}, seed {one.spec.init_seed}", look)
            fig.add_trace(trace.update(showlegend=False), 1, col)
    style.mark_drops(fig, shown[0], study.warm_up)
    fig.update_xaxes(title_text="epoch")
    fig.update_yaxes(title_text="μ raw", col=1)
    runs = [one for run in shown for one in groups[run.label]]
    return Exhibit(style.captioned(fig, study, style.window(study), runs), answer=like_kd(study), of=study.name)


@exhibit(
    "mu-cosine-{of}",
    "Raw mu and one minus the classifiers' cosine under KD at T = 4, both in standard deviations, a panel a measure.",
)
def cosine(study: Study) -> Exhibit:
    """Appendix A.1: the cosine of the classifiers in the place of mu, one below the other on one scale."""
    run, told = study.nearest(PEAK), claim_words.told(study, "C10")
    if run is None:
        return Exhibit(answer=told, of=study.name)
    group = study.groups[run.label]
    fig = style.grid(2, 1, height=520, shared_xaxes=True, vertical_spacing=0.07)
    for row, (title, column, sign) in enumerate((("μ raw", "mu_raw", 1), ("1 − cosine", "classifier_cosine", -1)), 1):
        for place, one in enumerate(group):
            table = one.after(study.warm_up)
            values = sign * column_of(table, column)
            scaled = table[["epoch"]].assign(**{column: (values - values.mean()) / (values.std() or np.nan)})
            name, look = f"{run.label}, seed {one.spec.init_seed}", style.line(one, study.hottest, 2.5)
            look |= {} if place == 0 else {"width": 1, "color": style.QUIET}
            fig.add_trace(style.curve(scaled, column, name, look, showlegend=False), row, 1)
        fig.update_yaxes(title_text=title, row=row)
    style.mark_drops(fig, run, study.warm_up)
    fig.update_xaxes(title_text="epoch", row=2)
    what = f"{style.window(study)}, less their mean, over their standard deviation"
    return Exhibit(style.captioned(fig, study, what, group), answer=told, of=study.name)


def like_kd(study: Study) -> str:
    """Whether DIST's curve of mu is like KD's, and how far either goes."""
    run, kd = study.get("DIST"), study.nearest(PEAK)
    if run is None or kd is None:
        return "**Whether DIST's curve is like KD's cannot be told: not both of them are among these students.**"
    runs = moving(study, (run, kd))
    if len(runs) < 2 or not runs[kd.label]:
        return f"**Whether DIST's curve is like KD's cannot be told: not both of them have {TWO}.**"
    moves = [f"{percent(mean_change(study, runs[one.label]))} {at(one)}" for one in (run, kd)]
    found, n = claim_words.found(study, "C8", runs[kd.label]), words.counted(len(runs[kd.label]), "seed")
    return f"**{found}: after the warm-up μ changes by {moves[0]} and {moves[1]} ({n}).**"
