"""Front page: the answers in one table, a column a study; every cell is computed from its runs."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from kdnb.analysis import accounts, correlations, words
from kdnb.analysis.selection import Study
from kdnb.analysis.students import PEAK
from kdnb.figures import claim_words, mu_curves, style
from kdnb.figures.account import bars
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.runs import Run


@exhibit("answers", "A row a question, a column a study: what came out.")
def answers(shown: Sequence[Study]) -> Exhibit:
    """What came out so far, in one table."""
    return Exhibit(None, sentence(shown), table=as_html(shown))


def as_html(shown: Sequence[Study]) -> str:
    """The table, to read."""
    columns = {
        f"{study.folder.name}, weight decay {study.students[0].spec.weight_decay:g}": [
            answer(study) for answer in ANSWERS.values()
        ]
        for study in shown
    }
    return style.table(pd.DataFrame({"question": list(ANSWERS), **columns}))


def _fall(study: Study) -> str:
    """Change of raw mu after the warm-up, beside the bystander's."""
    run = _peak(study)
    known = "bystander_mu_raw" in run.history
    other = mu_curves.percent(study.change("bystander_mu_raw", run)) if known else "not measured"
    return f"{mu_curves.percent(study.change('mu_raw', run))} (bystander {other})"


def _r(study: Study, run: Run | None) -> str:
    if run is None:
        return "not trained"
    own, other = (correlations.r_after(run, study.warm_up, column) for column in correlations.SIDES)
    return f"{words.number(own, '{:.2f}')} (bystander {words.number(other, '{:.2f}')})"


def _greatest(study: Study) -> str:
    r = {t: correlations.r_after(run, study.warm_up) for t, run in study.kd.items()}
    there = {t: value for t, value in r.items() if np.isfinite(value)}
    if not there:
        return "not trained"
    best = max(there, key=there.__getitem__)
    return f"T = {best:g}, r = {words.number(there[best], '{:.2f}')}"


def _relabelled(study: Study) -> str:
    run = _peak(study)
    raw = run.last("mu_raw")
    return f"{run.last('mu_matched') / raw:.0%}" if raw > 0 else "undefined"


def _plug_in(study: Study) -> str:
    run, normal = _peak(study), study.get("normal")
    beside = f" (normal training {normal.last('plug_in_accuracy_matched'):.0%})" if normal else ""
    raw, matched = (run.last(f"plug_in_accuracy{suffix}") for suffix in ("", "_matched"))
    return f"{raw:.0%}, relabelled {matched:.0%}{beside}"


def _moved(study: Study) -> str:
    """The cause with the largest share of the change of squared mu over the whole training."""
    causes = accounts.totals(_peak(study), "", 0)
    if not causes:
        return "not measured"
    most = max(causes, key=lambda cause: abs(causes[cause]))
    return f"{bars.cause_look(most)[0]}: {causes[most]:+.3g} of {sum(causes.values()):+.3g}"


def _peak(study: Study) -> Run:
    return study.nearest(PEAK) or study.students[0]


ANSWERS: dict[str, Callable[[Study], str]] = {
    "How much does μ change after the warm-up? (KD, T = 4)": _fall,
    "r of μ and the loss (KD, T = 4)": lambda study: _r(study, _peak(study)),
    "r of μ and the loss (normal training)": lambda study: _r(study, study.get("normal")),
    "Where is r greatest?": _greatest,
    "What is left of μ when the student's features are relabelled to match the teacher's?": _relabelled,
    "Does the teacher's classifier work on the student's features? (test accuracy)": _plug_in,
    "What changed μ² most, over the whole training?": _moved,
    "How do the paper's claims fare?": lambda study: claim_words.sentence(claim_words.judged(study)),
}


def sentence(shown: Sequence[Study]) -> str:
    """How much r depends on whose classifier mu is the distance to: the student's teacher's, or the bystander's."""
    gaps = [gap for study in shown for gap in correlations.gaps(study)]
    if not gaps:
        return "No student here was trained beside a bystander."
    return (
        f"Over the {len(gaps)} students of these studies that learned by KD, r with μ to the teacher and r with μ to "
        f"the bystander differ by {np.median(gaps):.2f} at the median, and by {max(gaps):.2f} at most. As far as they "
        "agree, the correlation is not about the teacher."
    )
