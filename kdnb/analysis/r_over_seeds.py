"""r of mu and the loss with the run as the unit of evidence: a value a seed, and what the seeds say together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from kdnb.analysis import correlations, stats
from kdnb.analysis.correlations import READINGS, SIDES
from kdnb.analysis.over_seeds import Estimate, estimate
from kdnb.analysis.study import Study
from kdnb.runs import Run

TEACHER, BYSTANDER = SIDES
EFFECTIVE = "effective epochs"


@dataclass(frozen=True)
class Measured:
    """One study's r: ``table`` has a row a run, with label, seed, a column each of SIDES, READINGS, EFFECTIVE."""

    name: str
    study: Study
    table: pd.DataFrame

    @property
    def labels(self) -> list[str]:
        """Of the students, in the order of figures."""
        return list(dict.fromkeys(self.table["label"]))

    @property
    def enough(self) -> list[str]:
        """Labels of the students that have an r after the warm-up on three seeds or more."""
        return [label for label in self.labels if self._values(label, TEACHER).count() >= stats.LEAST_RUNS]

    @property
    def runs(self) -> list[Run]:
        """All that are measured."""
        return [run for runs in by_label(self.study).values() for run in runs]

    def of(self, label: str, column: str) -> Estimate:
        """An r of one student over its seeds, on Fisher's scale."""
        return estimate(self._values(label, column), stats.mean_correlation, stats.mean_correlation_interval)

    def difference(self, label: str) -> Estimate:
        """r with mu to the teacher less r with mu to the bystander, run by run."""
        gaps = self._values(label, TEACHER) - self._values(label, BYSTANDER)
        return estimate(gaps)

    def _values(self, label: str, column: str) -> pd.Series:
        return self.table.loc[self.table["label"] == label, column]


def by_label(study: Study) -> dict[str, list[Run]]:
    """:func:`groups` without students that have no mu."""
    return {label: runs for label, runs in study.groups.items() if all("mu_raw" in run.history for run in runs)}


def measured(studies: Mapping[str, Study]) -> list[Measured]:
    """Every study's r after its warm-up, run by run."""
    found = []
    for name, study in studies.items():
        rows: list[dict[str, Any]] = []
        for run in (run for runs in by_label(study).values() for run in runs):
            curves = correlations.of_run(run, study.warm_up)
            sides = {column: correlations.r_after(run, study.warm_up, column) for column in SIDES}
            r = {reading: read(curves) for reading, read in READINGS.items()}
            size = {EFFECTIVE: stats.effective_size(curves.x, curves.y)}
            rows.append({"label": run.label, "seed": run.spec.init_seed, **sides, **r, **size})
        table = pd.DataFrame(rows, columns=["label", "seed", *SIDES, *READINGS, EFFECTIVE])
        found.append(Measured(name, study, table))
    return found


def cuts(study: Study) -> list[int]:
    """The warm-ups of :func:`over_cuts`."""
    return correlations.cuts(study, correlations.SIXTEENTHS)


def over_cuts(study: Study, runs: Sequence[Run], column: str) -> list[Estimate]:
    """r of a column and the loss over the seeds of one student, for every cut."""
    table = pd.DataFrame({cut: [correlations.r_after(run, cut, column) for run in runs] for cut in cuts(study)})
    return [estimate(table[cut], stats.mean_correlation, stats.mean_correlation_interval) for cut in table]


Curves = Mapping[str, Mapping[str, Sequence[Estimate]]]  # by student's label, then by side; a value a cut


def curves(one: Measured) -> Curves:
    """r against the cut, with μ to the teacher and to the bystander, of every student."""
    runs = by_label(one.study)
    return {label: {side: over_cuts(one.study, mine, side) for side in SIDES} for label, mine in runs.items()}
