"""What a frozen classifier alone hands on: whether its student is like the teacher whose classifier it was given.

A lead is what is the teacher's less what is the bystander's. With W_t frozen less with W_o frozen, whatever makes one
of the two teachers easier to be like cancels out.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pandas as pd

from kdnb.analysis import crossed, over_seeds, stitched
from kdnb.analysis.over_seeds import Estimate, Values, estimate, minus
from kdnb.analysis.students import in_front
from kdnb.analysis.study import Study
from kdnb.methods import METHODS

ALONE = "{}, labels alone"
OWN, OTHER = (METHODS[name].label for name in ("frozen", "foreign"))


def features(study: Study) -> Values:
    """Points by which the own teacher's classifier is ahead of the bystander's, each behind a linear map."""
    return stitched.ahead(study, stitched.table(study))


def answers(study: Study) -> Values:
    """Points of test images by which a student answers more often as its teacher than as the bystander.

    Source: Stanton et al. 2021 (agreement).
    """
    return over_seeds.lead(study, "agreement", times=100)


MEASURES: Mapping[str, Callable[[Study], Values]] = {"features": features, "answers": answers}


def leads(study: Study, measure: str) -> Values:
    """One of MEASURES of every student of ``study``, and of those of the same seeds that learned from labels alone."""
    both = [MEASURES[measure](one) for one in (study, _alone(study)) if one.students]
    return {label: by_seed for found in both for label, by_seed in found.items() if by_seed}


def _alone(study: Study) -> Study:
    """Those that learned from labels alone."""
    return replace(study, alpha=0.0, students=in_front(study.every, study.seed, 0.0))


def over_pairs(study: Study, label: str = ALONE.format(OWN)) -> tuple[Estimate, pd.DataFrame]:
    """Of answers, what :func:`by_classifier` tells of one pair of teachers, over crossed ones: a value a teacher.

    Each is once the students' own and once the other one; also the contrasts that it is made of. label: of the students
    that learned so. Without values where no such students have crossed teachers.
    """
    learned = _alone(study) if label == ALONE.format(OWN) else study
    if not learned.students:
        return estimate([]), pd.DataFrame()
    found = crossed.contrasts_of(learned)
    mine = found[(found["label"] == label) & (found["measure"] == "agreement")]
    # Own less other is half of what lies between a student with the one classifier and one with the other.
    return estimate(200 * value for value in crossed.by_teacher(mine).get(label, [])), mine


def by_classifier(found: Values) -> Estimate:
    """The lead with W_t frozen less that with W_o frozen, seed by seed, of students of labels alone."""
    own, other = (found.get(ALONE.format(name), {}) for name in (OWN, OTHER))
    return estimate(minus(own, other).values())
