"""What a chapter is drawn from: its parameters, and the finished runs they choose."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from math import isclose
from pathlib import Path
from typing import Any, Literal

from kdnb import paths, profiles, runs
from kdnb.analysis.students import HOTTEST, PAPERS, by_recipe, in_front, of_one_recipe, recipe
from kdnb.analysis.study import Study
from kdnb.checks import choice
from kdnb.methods import METHODS
from kdnb.parameters import Count, Names, NotNegative, Positive, Seed, Share, Temperatures, checked
from kdnb.profiles import unusual_drops
from kdnb.runs import Run
from kdnb.surroundings import lasting

# Of the paper's data, the study nearest to its experiment first: "cifar100" stands for the first that is there, of
# published ones for the first with several temperatures: one that is still in the making takes no sweep's place.
NEAREST = ("cifar100", "cifar100-half", "cifar100-small")
OTHERS = ("digits", "digits-few", "cifar100-small")  # published, which the answers of a chapter of one study tell of
ALIKE = ("dataset", "data_checksum", "model", "epochs")  # what all students of a chapter have in common


@checked
class SweepParameters:
    """Which students, and from which epoch on."""

    seed: Seed = 0  # the students'; where several are shown, and for verdicts, all are taken
    alpha: Share = 0.9  # of KD and MSE
    squared: bool = True  # KD with T squared; False: the paper's other reading
    weight_decay: NotNegative = 5e-4
    warm_up: Seed | None = None  # epochs left out at the start; None: half of them, as the paper does

    def of_study(self, profile: str, folder: Path | None) -> dict[str, Any]:
        """The fields of :class:`ChapterParameters` that say the same of the study in ``folder`` (None: its usual)."""
        own = {field.name: getattr(self, field.name) for field in fields(SweepParameters)}
        return {"profile": profile, "output_dir": folder and str(folder)} | own


@checked
class ChapterParameters(SweepParameters):
    """Of the chapters that show one study (``03_mu_curves`` and others): which runs, and from which epoch on."""

    profile: str = "digits"  # digits, cifar100 (the paper), cifar100-small
    output_dir: str | None = None  # where the runs are; None: runs/<profile>, or else the published ones
    methods: Names = PAPERS  # which are shown
    temperatures: Temperatures | None = None  # of KD: which are shown; None: all up to 10
    drops: tuple[Seed, ...] | None = None  # which schedule; None: the field's, see kdnb.profiles

    def __post_init__(self) -> None:
        for name in self.methods:
            choice("method", name, METHODS)


@checked
class PaperParameters(SweepParameters):
    """Of ``03_mu_curves`` to ``05_tsne``, the paper figure by figure: studies under one menu."""

    profiles: Names = ("cifar100", "digits")  # cifar100: the nearest to the paper's that there is, see NEAREST
    output_dir: str | None = None  # a folder of runs that takes the place of its data set's study; None: the best
    methods: Names = PAPERS  # which are shown
    temperatures: Temperatures | None = None  # of KD: which are shown; None: all up to 10

    def __post_init__(self) -> None:
        for name in self.profiles:
            profiles.get(name)
        for name in self.methods:
            choice("method", name, METHODS)

    def studies(self) -> list[Study]:
        """The best evidence of each profile, once; what ``output_dir`` holds is asked for, and always shown."""
        if self.output_dir is None:
            return list({study.folder: study for study in map(self._best, self.profiles)}.values())
        folder = lasting(self.output_dir)
        own = load(self._chapter(_profile_of(folder, self.profiles), folder))
        others = (self._best(name) for name in self.profiles if profiles.get(name).dataset != own.dataset)
        return [own, *{study.folder: study for study in others}.values()]

    def _best(self, profile: str) -> Study:
        """The better of one's own and the published runs of the first of its studies that is there."""
        names = NEAREST if profile == NEAREST[0] else (profile,)
        found = list(filter(None, (_better(self._chapter(name)) for name in names)))
        whole = (study for study in found if len(study.kd) > 1 or not runs.are_published(study.folder))
        # Where there are none, loading says how to make some.
        return next(whole, found[0] if found else None) or load(self._chapter(profile))

    def _chapter(self, profile: str, folder: Path | None = None) -> ChapterParameters:
        chosen = {"methods": self.methods, "temperatures": self.temperatures}
        return ChapterParameters(**self.of_study(profile, folder) | chosen)


@checked
class MapParameters(PaperParameters):
    """Of ``05_tsne``."""

    perplexity: Positive = 30.0  # about how many neighbours t-SNE looks at; fewer than the images shown
    points: Count = 500  # images shown at most, the first of the test set; measures use all
    images: Literal["test", "train"] = "test"  # the test set, or the fixed unaugmented training images

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("images", self.images, ("test", "train"))


@checked
class StudiesParameters(SweepParameters):
    """Of ``08_statistics`` to ``13_discussion``: published studies side by side."""

    profiles: Names = ("digits", "cifar100-small")  # whose published results
    results_dir: str | None = None  # where they are, a folder each; None: results/ of the repository

    def __post_init__(self) -> None:
        for name in self.profiles:
            profiles.get(name)

    def studies(self, methods: Sequence[str] = tuple(METHODS), **more: Any) -> dict[str, Study]:
        """Each profile's students of ``methods``; ``more``: other fields of :class:`ChapterParameters`."""
        root = paths.given(self.results_dir) if self.results_dir else paths.results("")
        given = {"methods": methods} | more
        for folder in (root / name for name in self.profiles):
            if not any(folder.glob("*/spec.json")):
                raise FileNotFoundError(
                    f"{folder} holds no published study: publish it (`kdnb publish --profile {folder.name}`, once it "
                    "is trained), or name other profiles, or the folder of published studies in results_dir."
                )
        return {name: load(ChapterParameters(**self.of_study(name, root / name) | given)) for name in self.profiles}

    def present(self, profiles: Iterable[str], **asked: Any) -> dict[str, Study]:
        """:meth:`studies` of ``profiles``, without those that have no students of what is ``asked``."""
        found: dict[str, Study] = {}
        for name in profiles:
            with suppress(FileNotFoundError):
                found |= replace(self, profiles=(name,)).studies(**asked)
        return found


@checked
class ClaimsParameters:
    """Of ``12_claims``: this study, and the published ones beside it."""

    profile: str = "digits"  # of this study
    output_dir: str | None = None  # where its runs are; None: runs/<profile>
    results_dir: str | None = None  # where published studies are, a folder each; None: results/ of the repository
    squared: bool = True  # KD with T squared; False: the paper's other reading


def load(chosen: ChapterParameters) -> Study:
    """The runs that ``chosen`` name; FileNotFoundError, saying how to make them, when there are none.

    Where no folder is named and one's own has none of these students, published ones are read, and it is printed.
    """
    folder = _folder(chosen)
    every = sweep(folder, chosen)
    students = in_front(every, chosen.seed, chosen.alpha)
    if not students:
        raise FileNotFoundError(
            f"{folder} holds no finished students of seed {chosen.seed}, alpha {chosen.alpha:g}, weight decay "
            f"{chosen.weight_decay:g} and methods {', '.join(chosen.methods)} "
            f"(there: {', '.join(_names(folder)) or 'none'}). "
            "Train them with notebooks/02_students.ipynb, or everything with `make study`; or name others in methods, "
            "or another output_dir."
        )
    _refuse_unlike(students)
    study = Study(
        students=students,
        every=_alike(students, every),
        alpha=chosen.alpha,
        name=name_of(chosen.profile, students),
        folder=folder,
        warm_up=_warm_up(students, chosen.warm_up),
    )
    if chosen.output_dir is None and runs.are_published(folder):
        print(study.origin)
    return study


def best(chosen: ChapterParameters) -> Study:
    """As :func:`load`, but where no folder is named the better of one's own and the published runs."""
    study = _better(chosen) if chosen.output_dir is None else None
    if study is None:
        return load(chosen)
    if runs.are_published(study.folder):
        print(study.origin)
    return study


def _better(chosen: ChapterParameters) -> Study | None:
    """The published runs, unless one's own are as many of each student, of a method more, or of other data.

    Of what is asked for; None where there are neither.
    """
    there = []
    for folder in dict.fromkeys((paths.runs(chosen.profile), paths.results(chosen.profile))):
        with suppress(FileNotFoundError):
            there.append(load(replace(chosen, output_dir=str(folder))))
    if not there:
        return None
    mine, published = there[0], there[-1]
    if not _are_of_one_kind(mine.students, published.students):
        return mine
    as_many = _times(mine, published) >= _times(published, published)
    return mine if as_many or _have_more_methods(mine.every, published.every) else published


def beside(study: Study, chosen: ChapterParameters) -> list[Study]:
    """Published studies of other names, chosen alike: what is so on one data set need not be on another."""
    usual = {field.name: getattr(chosen, field.name) for field in fields(SweepParameters)} | {"warm_up": None}
    names = [name for name in OTHERS if name != study.name]
    return list(StudiesParameters(**usual).present(names, methods=chosen.methods).values())


def _are_of_one_kind(mine: Sequence[Run], published: Sequence[Run]) -> bool:
    """Whether published runs could stand for one's own: of the same data, networks and length."""
    own, theirs = ({tuple(getattr(run.spec, f) for f in ALIKE) for run in found} for found in (mine, published))
    return bool(own & theirs)


def _have_more_methods(mine: Iterable[Run], published: Iterable[Run]) -> bool:
    """Whether there is a method among one's own runs that none of the published ones has."""
    own, theirs = ({run.spec.method for run in found} for found in (mine, published))
    return not own <= theirs


def name_of(profile: str, students: Sequence[Run]) -> str:
    """What a study is called: the profile, or its data set where that is another than the profile's."""
    dataset = students[0].spec.dataset
    return profile if profiles.get(profile).dataset == dataset else dataset


def sweep(folder: Path, chosen: ChapterParameters) -> list[Run]:
    """The finished students of the chosen methods, weight decay and loss, all seeds and alphas; empty without any."""
    return [run for run in runs.find(folder, role="student") if _in_sweep(run, chosen)]


def _folder(chosen: ChapterParameters) -> Path:
    """Which is named, or holds students that are asked for, or any: one's own, else the published ones."""
    profiles.get(chosen.profile)
    if chosen.output_dir:
        return lasting(chosen.output_dir)
    both = paths.runs(chosen.profile), paths.results(chosen.profile)
    asked = [folder for folder in both if in_front(sweep(folder, chosen), chosen.seed, chosen.alpha)]
    return next(iter((*asked, *filter(_names, both), *both)))


def _names(folder: Path) -> list[str]:
    return [run.path.name for run in runs.find(folder, role="student")]


def _profile_of(folder: Path, wanted: Sequence[str]) -> str:
    """The first of the ``wanted`` profiles with the data set of the folder's students, else the first."""
    datasets = {run.spec.dataset for run in runs.find(folder, role="student")}
    return next((name for name in wanted if profiles.get(name).dataset in datasets), wanted[0])


def _times(study: Study, wanted: Study) -> int:
    """How often each student in front of ``wanted`` was trained in ``study``: of the rarest, the number of seeds."""
    there = by_recipe(study.every)
    return min(len({run.spec.init_seed for run in there.get(recipe(one.spec), [])}) for one in wanted.students)


def _alike(students: Sequence[Run], every: Sequence[Run]) -> list[Run]:
    """Of ``every``, those that differ from ``students`` in seeds and what is asked for alone."""
    same = [run for run in every if all(getattr(run.spec, f) == getattr(students[0].spec, f) for f in ALIKE)]
    return of_one_recipe(students, same)


def _refuse_unlike(students: Sequence[Run]) -> None:
    """ValueError for students of several data sets, networks or lengths, of which no figure would tell."""
    for field in ALIKE:
        found = {getattr(run.spec, field): run.path.name for run in students}
        if len(found) > 1:
            listed = ", ".join(f"{name} has {value}" for value, name in found.items())
            raise ValueError(
                f"the runs differ in their {field} ({listed}); a chapter compares students that have one: train them "
                "alike, name others in methods, or move the others to another output_dir."
            )


def _warm_up(students: Sequence[Run], asked: int | None) -> int:
    """The epochs to leave out: half, unless asked otherwise; ValueError when nothing would be left of a run."""
    epochs = students[0].spec.epochs
    warm_up = epochs // 2 if asked is None else asked
    if warm_up >= epochs:
        raise ValueError(f"warm_up is {warm_up}, and the runs have {epochs} epochs; it must leave at least one.")
    return warm_up


def _in_sweep(run: Run, chosen: ChapterParameters) -> bool:
    same_decay = isclose(run.spec.weight_decay, chosen.weight_decay, abs_tol=1e-12)
    wanted_drops = None if chosen.drops is None else unusual_drops(chosen.drops, run.spec.epochs)
    same_schedule = unusual_drops(run.spec.drops, run.spec.epochs) == wanted_drops
    same_loss = has_reading(run, chosen.squared) and run.spec.method in chosen.methods
    temperature, wanted = run.spec.method_parameters.get("temperature", 0.0), chosen.temperatures
    # KD's temperature is asked for; any other run's is its method's own business.
    hot = run.spec.method != "kd" or (temperature <= HOTTEST if wanted is None else temperature in wanted)
    return same_decay and same_schedule and same_loss and hot


def has_reading(run: Run, squared: bool) -> bool:
    """Whether the run's loss has (or has not) T squared; a method without this choice is of both readings."""
    return bool(run.spec.method_parameters.get("squared", squared) == squared)


def is_papers(run: Run, squared: bool) -> bool:
    """Whether the run has the field's schedule and this reading of the loss, as the claims' runs have."""
    return has_reading(run, squared) and unusual_drops(run.spec.drops, run.spec.epochs) is None
