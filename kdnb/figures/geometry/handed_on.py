"""What a frozen classifier alone hands on: whose classifier then fits the features better behind a linear map."""

from collections.abc import Mapping

import pandas as pd

from kdnb.analysis import over_seeds, stats, stitched, words
from kdnb.analysis.over_seeds import Estimate
from kdnb.analysis.study import Study
from kdnb.figures import style
from kdnb.figures.exhibit import Exhibit, exhibit
from kdnb.methods import METHODS

ALONE = "{}, labels alone"
GIVEN = {METHODS[name].label: name for name in ("frozen", "foreign", "random", "rotated", "shuffled")}
# Whose classifier, and the labels of its students: those that learn from labels alone, and those that distil.
ROWS = {"its own, trained": ("normal", "KD T=4")} | {label: (ALONE.format(label), label) for label in GIVEN}
OWN, OTHER = (ALONE.format(METHODS[name].label) for name in ("frozen", "foreign"))


@exhibit("stitching-frozen", "A row a classifier: its own teacher's lead behind a linear map, by labels and by KD.")
def fits(studies: Mapping[str, Study]) -> Exhibit:
    """Own teacher less the other behind a linear map, a row a classifier, folded; a study that has none is left out."""
    found = {name: over_seeds.estimates(stitched.handed_on(study)) for name, study in studies.items()}
    answer = words.sentence("; ".join(_swapped(name, one) for name, one in found.items()))
    rows = [
        {"study": name, "classifier": words.typeset(whose), "labels alone": _told(one, alone), "KD T=4": _told(one, kd)}
        for name, one in found.items()
        for whose, (alone, kd) in ROWS.items()
        if alone in one or kd in one
    ]
    body = style.table(pd.DataFrame(rows), "own teacher less the other, points", escape=False) if rows else ""
    return Exhibit(None, "", answer, style.folded("In numbers (points)", body) if rows else "")


def _swapped(name: str, found: Mapping[str, Estimate]) -> str:
    """Whether W_t and W_o, frozen, swap which teacher's classifier fits better, labels alone, in a clause."""
    pair = [found[label] for label in (OWN, OTHER) if label in found]
    if len(pair) < 2:
        return f"not measured on {name}"
    if min(len(one.values) for one in pair) < stats.LEAST_RUNS:
        return f"it cannot be told from so few seeds on {name}"
    own, other = pair
    so = "yes" if (own.side, other.side) == (1, -1) else "not that it could be seen"
    rows = [found[label] for labels in ROWS.values() for label in labels if label in found]
    off = over_seeds.off_zero(rows, "student")
    leads = f"{own.told('{:+z.2f}')} points behind W<sub>t</sub> and {other.told('{:+z.2f}')} behind W<sub>o</sub>"
    return f"{so} on {name}: from labels alone its lead is {leads}; of all the interval leaves out zero for {off}"


def _told(found: Mapping[str, Estimate], label: str) -> str:
    return found[label].told("{:+z.2f}") if label in found else "–"
