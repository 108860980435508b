"""A history's columns where it ends, and how far they went after the warm-up."""

import numpy as np
import pandas as pd

from kdnb.analysis.selection import Study
from kdnb.runs import Run


def first(study: Study, column: str, run: Run) -> float:
    """A column's value in the first epoch after the warm-up; nan where the history lacks it."""
    table = after(run, study.warm_up)
    return float(table[column].iloc[0]) if column in table else np.nan


def last(column: str, run: Run) -> float:
    """A column's value in the last epoch; nan where the history lacks it."""
    return float(run.history[column].iloc[-1]) if column in run.history else np.nan


def change(study: Study, column: str, run: Run) -> float:
    """Relative change of a column from the first epoch after the warm-up to the last; nan from zero."""
    start = first(study, column, run)
    return last(column, run) / start - 1 if start else np.nan


def after(run: Run, warm_up: int) -> pd.DataFrame:
    """History without the first ``warm_up`` epochs."""
    return run.history[run.history["epoch"] > warm_up]


def values(table: pd.DataFrame, column: str) -> np.ndarray:
    """A column of a history; nan where the history lacks it."""
    return table[column].to_numpy(float) if column in table else np.full(len(table), np.nan)
