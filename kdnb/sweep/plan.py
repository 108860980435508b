"""What a configuration will cost before it is begun: jobs, hours of a card, and disk.

Work is counted (images, epochs, multiply-adds); what an image costs was measured, or is scaled from what was (see
:mod:`kdnb.sweep.costs`), and that is said. Hours are those of the card, or of one processor core; jobs side by side
finish sooner, and cost as much.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain
from typing import NamedTuple

from kdnb import methods, profiles
from kdnb.parameters import StudentParameters, StudyParameters
from kdnb.runs import teacher_name
from kdnb.sweep import costs, work
from kdnb.sweep.configuration import TEACHERS, Configuration
from kdnb.sweep.costs import Cost, Rate
from kdnb.sweep.work import FORWARD, TRAINING, Images
from kdnb.train import study

TABLES = "teacher tables"


class Pass(NamedTuple):
    """So many images through a network: ``part`` as in costs.csv, ``group`` runs beside each other."""

    part: str
    network: str
    precision: str
    amount: int
    outputs: str = "none"
    group: int = 1


@dataclass(frozen=True)
class Job:
    """A job of the sweep, or the teacher table that the first of several makes for all.

    runs         how many networks it trains
    whole        its work as whole runs, which may have been measured as such; None: no runs
    passes       the same work taken apart
    kept, extra  bytes that it keeps, and that it takes beside until its runs are finished
    """

    name: str
    runs: int
    dataset: str
    images: Images
    whole: Pass | None
    passes: tuple[Pass, ...]
    kept: int
    extra: int = 0

    @property
    def operations(self) -> int:
        """Floating-point operations of its networks."""
        return sum(
            (FORWARD if one.part == "forward" else TRAINING) * _amount(one.network, self.images) * one.amount
            for one in self.passes
        )


class Hours(NamedTuple):
    """Of a card; ``scaled``: from which measurements, where none is of this very work."""

    rate: Rate
    scaled: frozenset[str]


def jobs(asked: Configuration, runs_a_job: int | None = None) -> dict[str, list[Job]]:
    """All jobs by group; ``runs_a_job``: in place of what the configuration says. Networks are built, none is trained.

    Raises ValueError for a network or a method that cannot begin.
    """
    found = {TEACHERS: [_teacher(asked.teacher(seed), teacher_name(seed)) for seed in asked.teachers]}
    tables: dict[tuple[object, ...], Job] = {}
    for name, split in asked.jobs(runs_a_job).items():
        given = asked.students[name]
        found[name] = [_students(name, replace(given, methods=tuple(some))) for some in split]
        key, table = _table_key(given), _table(given)
        if table and (key not in tables or tables[key].kept < table.kept):
            tables[key] = table
    return found | {TABLES: list(tables.values())}


def hours(job: Job, measured: Sequence[Cost]) -> Hours:
    """Hours of ``job`` on the card of ``measured``: as whole runs where such were measured, else pass by pass."""
    found = [_told(one, job, measured) for one in ([job.whole] if job.whole else job.passes)]
    if any(rate.estimate for rate in found):
        found = [_told(one, job, measured) for one in job.passes]
    return together([Hours(rate, frozenset([rate.estimate] if rate.estimate else [])) for rate in found])


def together(several: Sequence[Hours]) -> Hours:
    """Their sum."""
    middle, low, high = (sum(getattr(one.rate, name) for one in several) for name in ("middle", "low", "high"))
    scaled = frozenset(chain.from_iterable(one.scaled for one in several))
    return Hours(Rate(middle, low, high), scaled)


def _told(one: Pass, job: Job, measured: Sequence[Cost]) -> Rate:
    precision = costs.natural_precision(measured) if one.precision == "auto" else one.precision
    wanted = Cost("", one.part, job.dataset, one.network, precision, one.outputs, one.group, 0.0, "")
    return costs.rate(measured, wanted, _amount(one.network, job.images)).times(one.amount / 3600)


@cache
def _amount(network: str, images: Images) -> int:
    return work.multiply_adds(network, images)


class _Settled(NamedTuple):
    """What the profile decides where parameters do not."""

    dataset: str
    teacher: str
    student: str
    precision: str
    epochs: int
    clean: int
    batch: int
    outputs: str


def _settled(given: StudyParameters) -> _Settled:
    profile, known = profiles.get(given.profile), study.settled(given, "student")
    how = [known[name] for name in ("precision", "epochs", "clean_images", "batch_size", "teacher_outputs")]
    models = [getattr(given, f"{one}_model", None) or getattr(profile, one) for one in ("teacher", "student")]
    return _Settled(given.dataset or profile.dataset, *(models + how))


def _trained(given: StudyParameters, network: str, outputs: str, runs: int) -> tuple[Pass, tuple[Pass, ...]]:
    """The work of ``runs`` networks: as whole runs, and taken apart into steps and evaluation."""
    how, images = _settled(given), work.images(given)
    steps, seen = runs * how.epochs * images.train, runs * how.epochs * (images.test + min(how.clean, images.train))
    whole = Pass("run", network, how.precision, steps, outputs, runs)
    return whole, (
        whole._replace(part="train", outputs="table" if outputs == "live" else outputs),
        Pass("forward", network, "fp32", seen),
    )


def _teacher(given: StudyParameters, name: str) -> Job:
    how, images = _settled(given), work.images(given)
    network = work.network(how.teacher, images)
    whole, passes = _trained(given, how.teacher, "none", 1)
    kept = work.run_bytes(network, images, how.epochs, how.clean, work.COLUMNS_OF_TEACHERS)
    return Job(name, 1, how.dataset, images, whole, passes, kept, work.unfinished_bytes(network))


def _students(name: str, given: StudentParameters) -> Job:
    how, images, runs = _settled(given), work.images(given), study.method_grid(given)
    taught = bool(methods.needed(method for method, _ in runs))
    whole, passes = _trained(given, how.student, how.outputs, len(runs))
    if taught and how.outputs == "live":
        passes += (Pass("forward", how.teacher, how.precision, how.epochs * images.train),)
    pair, kept, extra = (how.student, how.teacher), 0, 0
    for method, parameters in runs:
        student = work.student(pair, methods.create(method, parameters), images, how.batch)
        kept += work.run_bytes(student, images, how.epochs, how.clean, work.columns(methods.METHODS[method]))
        extra += work.unfinished_bytes(student)
    return Job(name, len(runs), how.dataset, images, whole, passes, kept, extra)


def _table_key(given: StudentParameters) -> tuple[object, ...]:
    """What groups that share a teacher table have in common: its folder, the teacher, the images, the precision."""
    how = _settled(given)
    teacher = given.teacher_weights or (given.teachers_dir, given.teacher_seed), how.teacher
    return given.output_dir, *teacher, how.dataset, given.data_dir, given.limit, how.precision


def _table(given: StudentParameters) -> Job | None:
    """The table that a group needs, features in it where a method wants them; None where the teacher is live."""
    how, images = _settled(given), work.images(given)
    needed = methods.needed(method for method, _ in study.method_grid(given))
    if how.outputs != "table" or not needed:
        return None
    width = work.network(how.teacher, images).classifier.in_features if "features" in needed else 0
    passes = (Pass("forward", how.teacher, how.precision, images.train * images.views),)
    return Job(
        f"of {teacher_name(given.teacher_seed)}", 0, how.dataset, images, None, passes, work.table_bytes(images, width)
    )
