"""What is kept of a run: its identity and its folder; every random choice, from seeds alone."""

from kdnb.runs.store import Checkpoint, Run, RunSpec, Snapshot, find, load, student_name, teacher_name

__all__ = ["Checkpoint", "Run", "RunSpec", "Snapshot", "find", "load", "student_name", "teacher_name"]
