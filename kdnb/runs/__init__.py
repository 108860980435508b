"""What is kept of a run: its identity and its folder; every random choice, from seeds alone."""

from kdnb.runs.contents import Checkpoint, Snapshot
from kdnb.runs.finding import are_published, find, find_students, load, run_in
from kdnb.runs.published import PublishedRun
from kdnb.runs.spec import RunSpec, check_names, student_name, teacher_name
from kdnb.runs.store import Run

__all__ = ["Checkpoint", "PublishedRun", "Run", "RunSpec", "Snapshot"]
__all__ += ["are_published", "check_names", "find", "find_students", "load", "run_in", "student_name", "teacher_name"]
