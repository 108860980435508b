"""Is the student nearer to its teacher than to the bystander? Every measure of it that a chapter has.

Of KD at T = 4, above zero where nearer; beside it what of that is beyond normal training of the same seed.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from kdnb.analysis import accounts, alignment, class_agreement, class_rows, handed_on, over_seeds, stitched
from kdnb.analysis.over_seeds import Estimate, Values, estimate
from kdnb.analysis.study import Study
from kdnb.measure.history import BYSTANDER


class Found(NamedTuple):
    """Teacher less bystander, and the same less normal training's; no values where that is no control."""

    own: Estimate
    beyond: Estimate

    @property
    def decisive(self) -> Estimate:
        """The one that has to be above zero where the other is."""
        return self.beyond if self.own.side == 1 and self.beyond.values else self.own

    @property
    def answer(self) -> str:
        """Yes where both intervals lie above zero."""
        if not self.own.enough:
            return "too few seeds" if self.own.values else ""
        if self.own.side != 1:
            return "no" if self.own.side else "not seen"
        return "yes" if self.decisive.side == 1 else "as normal training"


def _moves(study: Study) -> Values:
    """By how much more mu to the teacher fell after the warm-up, as a share of itself."""
    change = study.change
    return over_seeds.collect(study, lambda run: change(f"{BYSTANDER}mu_raw", run) - change("mu_raw", run))


def _pull(study: Study) -> Values:
    found = accounts.excesses(study)["distillation"]
    return {label: {seed: -pull for seed, pull in by_seed.items()} for label, by_seed in found.items()}


def _classes(study: Study) -> Values:
    return class_agreement.beyond_the_bystander(class_agreement.agreement(study))


def _stitched(study: Study, column: str) -> Values:
    return stitched.ahead(study, stitched.table(study), column)


def _matched(study: Study) -> Values:
    """From the comparison, whose seeds are all of one version; from histories where there is none."""
    return _stitched(study, "matched") or over_seeds.lead(study, "plug_in_accuracy_matched", times=100)


def _rows(study: Study) -> Values:
    return class_rows.leads(class_rows.agreements(study))


MEASURES: Mapping[str, Callable[[Study], Values]] = {
    "raw μ": partial(over_seeds.lead, column="mu_raw", times=-1),
    "fall of raw μ after the warm-up": _moves,
    "cosine of the classifiers": partial(alignment.differences, kind="raw", view="cosine"),
    "cosine once rotated": partial(alignment.differences, kind="rotated", view="cosine"),
    "pull of distillation on μ²": _pull,
    "accuracy of W_t, features matched (points)": _matched,
    "accuracy of W_t, features mapped linearly (points)": partial(_stitched, column="linear"),
    "answers alike (points of test images)": handed_on.answers,
    "order of class distances (ρ)": _classes,
    "order of class rows' cosines (ρ)": _rows,
}


def found(study: Study) -> dict[str, Found]:
    """Each of MEASURES on one study; without values where it was not measured."""
    label = study.leading.label
    read = {name: measure(study) for name, measure in MEASURES.items()}
    return {
        name: Found(
            estimate(values.get(label, {}).values()),
            over_seeds.beyond_normal(values, label),
        )
        for name, values in read.items()
    }
