"""What each freedom to align leaves of mu, and whether the teacher is nearer than a bystander; over seeds."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdnb.analysis import alignment, lost, over_seeds, words
from kdnb.analysis.over_seeds import Estimate, estimate
from kdnb.analysis.study import Study
from kdnb.figures import intervals, style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.measure.history import BYSTANDER
from kdnb.runs import Run

RUNGS: Mapping[str, tuple[str, str, str]] = {
    "mu_raw": ("raw", "#0072b2", "circle"),
    "mu_matched": ("matched", "#009e73", "square"),
    "mu_rotated": ("rotated", "#cc79a7", "diamond"),
}
NAMES = {
    "mu_raw": "μ raw",
    "mu_centred": "μ centred: without the mean row, which softmax ignores",
    "mu_matched": "μ matched: features relabelled by their correlation",
    "mu_permuted": "μ permuted: relabelled so that μ is least",
    "mu_rotated": "μ rotated: the least that a turn of the features leaves",
    "mu_scaled": "μ scaled: columns times the spread of their feature, then matched",
    "classifier_cosine": "cosine of the classifiers",
}
KINDS = {"raw": "as they are", "rotated": "rotated"}  # what is known of both teachers
VIEWS = {"cosine": "of the cosine", "μ": "of μ"}
ABOVE = {"cosine": "nearer to the teacher", "μ": "nearer to the bystander"}


# ---------------------------------------------------------------------------------------------------------- the ladder
@exhibit("rungs-by-temperature", "Mu of the last epoch for each student, raw, matched and rotated, mean and seeds.")
def ladder(study: Study, *others: Study) -> Exhibit:
    """Three mus of the last epoch of ``study``, a dot a seed, the mean with its interval; every mu is in a table.

    others: of which the answer tells as well
    """
    gone = {one.name: lost.table(one) for one in (study, *others)}
    answer = ladder_sentence(gone)
    if not over_seeds.having(study.shown, "mu_raw"):
        return Exhibit(answer=answer)
    fig = style.grid(1, 1, height=460)
    for column, (name, color, symbol) in RUNGS.items():
        found = over_seeds.estimates(over_seeds.collect(study, partial(Run.last, column=column)))
        fig.add_traces(intervals.points(found, name, "μ", {"color": color, "symbol": symbol}))
    fig.update_yaxes(title_text="μ", rangemode="tozero")
    intervals.axis(fig, list(study.groups))
    fig.update_layout(legend={"orientation": "h", "y": -0.28})
    drawn = style.captioned(fig, study, f"epoch {study.epochs}", study.shown)
    return Exhibit(drawn, answer=answer, table=every_mu(study) + shares(gone))


def ladder_sentence(gone: Mapping[str, pd.DataFrame]) -> str:
    """What of raw mu matching and rotating undo on each study, and what a rotation undoes of other rows."""
    return words.sentence("; ".join(_undone(*one) for one in gone.items()))


def _undone(name: str, gone: pd.DataFrame) -> str:
    matched, rotated = (lost.medians(gone, kind) for kind in ("matched", "rotated"))
    if np.isnan(matched["teacher"]) or np.isnan(rotated["teacher"]):
        return f"it cannot be told on {name}, where no student has a μ above zero to take apart"
    of = {"of μ to the bystander": "bystander", "of random rows of the same lengths": "random"}
    beside = [f"{text} {_percent(rotated[whose])}" for text, whose in of.items() if np.isfinite(rotated[whose])]
    told = f" ({', '.join(beside)})" if beside else ""
    once = f"{_percent(matched['teacher'])} is gone once matched, {_percent(rotated['teacher'])} once rotated"
    return f"on {name} {once}{told}"


def shares(gone: Mapping[str, pd.DataFrame]) -> str:
    """What of raw mu is gone, a row a study and a kind, folded: medians over the same students."""
    rows = []
    for name, table in gone.items():
        for kind in lost.KINDS:
            found = lost.medians(table, kind)
            cells = {text: _percent(found[whose]) for whose, text in lost.WHOSE.items()}
            rows.append({"study": name, "gone once": kind} | cells | {"students": f"{found['students']:.0f}"})
    return style.folded("What is gone, by study", style.table(pd.DataFrame(rows), "what of raw μ is gone"))


def _percent(share: float) -> str:
    return words.number(share, "{:.0%}") if np.isfinite(share) else "–"


def every_mu(study: Study) -> str:
    """A table: every mu of the last epoch, of KD at T = 4 and of normal training, to the teacher and the bystander.

    A mean over those seeds whose histories have it, with n where these are not all.
    """
    runs = study.leading_pair
    groups = study.groups
    rows = []
    for column, name in NAMES.items():
        cells = {"last epoch, mean over seeds": name}
        for run in runs:
            # Beside each other over the same seeds: those that have the bystander's, where any has.
            both = over_seeds.having(groups[run.label], f"{BYSTANDER}{column}") or groups[run.label]
            for side, of in (("", "to the teacher"), (BYSTANDER, "to the bystander")):
                found = estimate(one.last(f"{side}{column}") for one in both)
                cells[f"{run.label}, {of}"] = _cell(found, len(groups[run.label]))
        rows.append(cells)
    return style.table(pd.DataFrame(rows), "every μ of the last epoch")


def _cell(found: Estimate, of: int) -> str:
    if not found.values:
        return "–"
    fewer = f" (n\u00a0=\u00a0{len(found.values)})" if len(found.values) < of else ""
    return f"{words.number(found.mean, '{:.3g}')}{fewer}"


# -------------------------------------------------------------------------------------------------- teacher, bystander


@exhibit(
    "mu-teacher-or-bystander",
    "Teacher minus bystander, of the cosine and of mu, for each student: mean and interval over seeds.",
    step="difference",
)
def sides(study: Study, *others: Study) -> Exhibit:
    """Teacher minus bystander, raw above, rotated below: of the cosine, which knows no lengths, and of mu.

    others: of which the answer tells as well
    """
    figures = {name: _sides(study, view) for view, name in VIEWS.items()}
    every = (study, *others)
    return Exhibit(figures, answer=sides_sentence(*every), table=differences(*every))


def _sides(study: Study, view: str) -> go.Figure:
    titles = [f"{name} · above 0: {ABOVE[view]}" for name in KINDS.values()]
    fig = style.grid(2, 1, titles, 520, shared_xaxes=True, vertical_spacing=0.09)
    labels = list(study.groups)
    for row, kind in enumerate(KINDS, start=1):
        look = {"color": style.TEACHER, "symbol": "circle"}
        found = over_seeds.estimates(alignment.differences(study, kind, view))
        for trace in intervals.points(found, "teacher − bystander", KINDS[kind], look):
            fig.add_trace(trace.update(showlegend=False), row, 1)
        fig.add_trace(intervals.level(labels, 0, "no difference", style.OTHER, "dot").update(showlegend=False), row, 1)
        intervals.axis(fig, labels, row=row)
    fig.update_xaxes(showticklabels=False, row=1)
    what = f"{VIEWS[view]}, epoch {study.epochs}"
    return style.captioned(fig, study, what, study.shown)


def sides_sentence(*studies: Study) -> str:
    """Is KD's classifier nearer to its teacher's than to the bystander's, and more so than normal training's?"""
    told = [
        f"{where}: {style.together((nearer(one, kind), one.name) for one in studies)}" for kind, where in ASKED.items()
    ]
    return " ".join(map(words.sentence, told))


def nearer(study: Study, kind: str) -> str:
    """The answer on one study, ``kind`` of KINDS, in a clause without its numbers."""
    one, beyond = _differences(study, kind)
    if not one.enough:
        return "it cannot be told from so few seeds" if one.values else "it cannot be told"
    more = f", {BEYOND[one.side == 0, beyond.side * (one.side or 1)]} normal training," if beyond.enough else ""
    return f"{NEARER[one.side]}{more}"


def differences(*studies: Study) -> str:
    """The numbers behind :func:`sides_sentence`, a row a study and a kind, folded."""
    rows = []
    for study in studies:
        for kind, where in ASKED.items():
            one, beyond = (found.told("{:+.2g}") if found.values else "–" for found in _differences(study, kind))
            rows.append(
                {
                    "study": study.name,
                    "cosine, teacher less bystander": where,
                    study.leading.label: one,
                    "less normal training's": beyond,
                }
            )
    told = pd.DataFrame(rows).fillna("–")
    return style.folded("In numbers, by study", style.table(told, "teacher less bystander"))


def _differences(study: Study, kind: str) -> tuple[Estimate, Estimate]:
    """Of the cosine, teacher less bystander: KD at T = 4, and the same less normal training's of its seed."""
    found, label = alignment.differences(study, kind, "cosine"), study.leading.label
    return estimate(found.get(label, {}).values()), over_seeds.beyond_normal(found, label)


ASKED = {"raw": "as the weights stand", "rotated": "once rotated"}
NEARER = {1: "yes", 0: "not seen", -1: "no, nearer to the bystander"}
# By whether no difference is seen, and the side of what is beyond normal training's, that of the difference being 1.
BEYOND = {
    (True, 1): "but beyond",
    (True, 0): "nor beyond",
    (True, -1): "but short of",
    (False, 1): "and beyond",
    (False, 0): "but not beyond",
    (False, -1): "but short of",
}
