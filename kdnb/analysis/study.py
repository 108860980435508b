"""A study as a chapter sees it: students of one folder, their teacher and bystander, the warm-up that is left out."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from kdnb import paths, runs
from kdnb.analysis.students import Students
from kdnb.runs import Run
from kdnb.runs.store import column_of


@dataclass(frozen=True, kw_only=True)
class Study(Students):
    """Students of one folder, and how a chapter looks at them.

    name      of the profile they are of; of their data set, where that is another
    warm_up   epochs left out at the start
    """

    name: str
    folder: Path
    warm_up: int

    def comparison(self, name: str) -> Path | None:
        """A file of several runs side by side, kept beside the study's; None where it was not made."""
        found = self.folder / paths.COMPARISONS / name
        return found if found.exists() else None

    @property
    def origin(self) -> str:
        """Where the students are from, in a sentence."""
        kept = self.students[0].is_published
        what = "published runs, trained once and kept with the repository" if kept else "trained here"
        return f"Read from {self.folder}: {len(self.shown)} students, {what}."

    @property
    def dataset(self) -> str:
        """What the students were trained on."""
        return self.students[0].spec.dataset

    @property
    def epochs(self) -> int:
        """Epochs of every student."""
        return self.students[0].spec.epochs

    @cached_property
    def teacher(self) -> Run | None:
        """The teacher's run, if it is in the same folder (one's own weights are not)."""
        return self._known(run.spec.teacher for run in self.students)

    @cached_property
    def bystander(self) -> Run | None:
        """The bystander's run, if it is in the same folder."""
        return self._known(run.spec.bystander for run in self.students)

    def _known(self, identities: Iterable[dict[str, str] | None]) -> Run | None:
        """The run in the folder of one of the teachers that specs name."""
        wanted = {identity["checksum"] for identity in identities if identity}
        found = runs.find(self.folder, role="teacher")
        return next((run for run in found if run.weights_checksum in wanted), None)

    def first(self, column: str, run: Run) -> float:
        """A column's value in the first epoch after the warm-up; nan where the history lacks it."""
        table = run.after(self.warm_up)
        return float(table[column].iloc[0]) if column in table else np.nan

    def change(self, column: str, run: Run) -> float:
        """Relative change of a column from the first epoch after the warm-up to the last; nan from zero, over one."""
        start = self.first(column, run)
        return run.last(column) / start - 1 if start and self.epochs - self.warm_up > 1 else np.nan

    def course(self, column: str, run: Run) -> pd.DataFrame:
        """epoch, and the column less its value in the first epoch after the warm-up, as a share of that (nan: none)."""
        table = run.after(self.warm_up)
        return table[["epoch"]].assign(**{column: column_of(table, column) / (self.first(column, run) or np.nan) - 1})
