"""A study: a teacher, a bystander and a group of students, from parameters to finished runs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from kdnb import data, methods, models, own_networks, paths, profiles
from kdnb import device as devices
from kdnb.data import Dataset
from kdnb.measure.align import check_pair
from kdnb.parameters import StudentParameters, StudyParameters, TeacherParameters
from kdnb.runs import Run, RunSpec, are_published, check_names, run_in, student_name, teacher_name
from kdnb.surroundings import lasting
from kdnb.train import provenance, published
from kdnb.train import teacher as teachers
from kdnb.train.budget import Budget
from kdnb.train.loop import Execution, check_teacher_outputs, train
from kdnb.train.student import check_last_batch, try_step
from kdnb.train.teacher import Teacher

# Of a run's identity what parameters say, and the profile where they leave it open.
SETTLED = (
    *("epochs", "batch_size", "learning_rate", "momentum", "nesterov", "weight_decay", "precision"),
    *("matched_on", "matched_accuracy", "clean_images", "teacher_outputs"),
)
# What a teacher takes from its students' parameters: its recipe is the field's, and one serves every ablation.
OF_TEACHERS = (
    *("profile", "dataset", "data_dir", "limit", "epochs", "batch_size", "precision", "device", "cuda_graph"),
    *("teacher_model", "minutes"),
)
Identity = dict[str, str]  # of a teacher, as a student's spec names it


def folder(parameters: StudyParameters) -> Path:
    """Where the study's runs are kept."""
    profiles.get(parameters.profile)
    return lasting(parameters.output_dir or paths.runs(parameters.profile))


def dataset(parameters: StudyParameters) -> Dataset:
    """The study's data set."""
    name = parameters.dataset or profiles.get(parameters.profile).dataset
    return data.load(name, lasting(parameters.data_dir or paths.root() / "data"), limit=parameters.limit)


def train_teacher(parameters: TeacherParameters, budget: Budget | None = None) -> Run:
    """Train the teacher of ``parameters.seed``, or go on with it; return its run. A published one is read.

    ``budget``: what is left of one that a larger piece of work began; None: ``parameters.minutes`` from now on.
    """
    model = _teacher_model(parameters)
    images = dataset(parameters)
    if not are_published(folder(parameters)):
        _trainable(model, images)
    spec = make_spec(parameters, images, "teacher", model, "normal", {})
    return _train(parameters, [spec], images, budget)[0]


def train_students(parameters: StudentParameters) -> list[Run]:
    """Train every student that ``parameters`` name, in lockstep, or go on with them; return their runs.

    The teacher, and the bystander, are loaded where they are, and trained first where they are not. In a folder of
    published runs all is read; ValueError when one that is asked for is not there.
    """
    budget = Budget(parameters.minutes)
    # Refuses what is bad before anything is trained.
    names = [name for name, _ in method_grid(parameters)]
    check_teacher_outputs(names, parameters.teacher_outputs or profiles.get(parameters.profile).teacher_outputs)
    pair = _student_model(parameters), _teacher_model(parameters)
    images = dataset(parameters)
    if are_published(folder(parameters)):
        return _train(parameters, student_specs(parameters, images, *_published_teachers(parameters, images)), images)
    _check_students(parameters, images, *pair)
    teacher = load_teacher(parameters, images, budget)
    bystander = load_bystander(parameters, images, budget)
    specs = student_specs(parameters, images, teacher.identity, bystander.identity if bystander else None)
    return _train(parameters, specs, images, budget, teacher, bystander)


def student_specs(
    parameters: StudentParameters, images: Dataset, teacher: Identity | None, bystander: Identity | None
) -> list[RunSpec]:
    """Identities of the students that ``parameters`` name."""
    model = _student_model(parameters)
    return [
        make_spec(parameters, images, "student", model, name, given, teacher, bystander)
        for name, given in method_grid(parameters)
    ]


def _student_model(parameters: StudentParameters) -> str:
    return models.identity(parameters.student_model or profiles.get(parameters.profile).student)


def _teacher_model(parameters: StudentParameters | TeacherParameters) -> str:
    return models.identity(parameters.teacher_model or profiles.get(parameters.profile).teacher)


def _check_students(parameters: StudentParameters, images: Dataset, student: str, teacher: str) -> None:
    """ValueError where a network is not what it should be, mu cannot compare the two, or a step cannot be taken."""
    there = _trainable(student, images)
    taught = models.create(teacher, images.num_classes, images.in_channels, images.image_size)
    waiting = student_specs(parameters, images, None, None)
    if any(methods.METHODS[spec.method].mu_is_defined for spec in waiting):
        check_pair(taught.classifier.weight, there.classifier.weight)
    untrained = Teacher(teacher, taught.eval().requires_grad_(False), checksum="")
    for spec in waiting:
        if not Run(folder(parameters) / spec.name).finished:
            try_step(spec, images, untrained, None if parameters.bystander_seed is None else untrained)
    check_last_batch(student, waiting[0].batch_size, images, there)


def _trainable(model: str, images: Dataset) -> models.Network:
    """The network ``model``, fresh; ValueError where training could not move all of it."""
    network = models.create(model, images.num_classes, images.in_channels, images.image_size)
    own_networks.check_trainable(model, network, images.in_channels, images.image_size)
    return network


def _published_teachers(parameters: StudentParameters, images: Dataset) -> tuple[Identity, Identity | None]:
    """Teacher and bystander as students' specs name them."""
    target, seed = folder(parameters), parameters.bystander_seed
    own = load_teacher(parameters, images).identity if parameters.teacher_weights else None
    asked = _teacher_model(parameters) if parameters.teacher_model else None
    teacher = own or published.teacher(target, teacher_name(parameters.teacher_seed), asked)
    other = None if seed is None else published.teacher(target, teacher_name(seed), asked)
    return teacher, other


def method_grid(parameters: StudentParameters) -> list[tuple[str, dict[str, float]]]:
    """The methods to train with their full parameters: one for each method, or for each value of what it sweeps.

    ValueError where two of them would have one folder.
    """
    grid = []
    common = {"alpha": parameters.alpha, "squared": parameters.squared}
    sweeps = {"temperature": parameters.temperatures}
    for name, own in map(methods.parse, parameters.methods):
        known, swept = methods.parameter_names(name), methods.METHODS[name].swept
        given = {key: value for key, value in common.items() if key in known}
        steps = [{swept: value} for value in sweeps[swept]] if swept else [{}]
        grid += [(name, methods.parameters_of(methods.create(name, given | step | own))) for step in steps]
    decay, seed = parameters.weight_decay, parameters.seed
    check_names((student_name(method, given, decay, seed), given) for method, given in grid)
    return [one for place, one in enumerate(grid) if one not in grid[:place]]  # named twice is trained once


def student_names(parameters: StudentParameters) -> list[str]:
    """The folders of the runs that :func:`train_students` makes; what a workflow waits for."""
    epochs = parameters.epochs or profiles.get(parameters.profile).epochs
    drops = None if parameters.drops is None else profiles.unusual_drops(parameters.drops, epochs)
    decay, seed = parameters.weight_decay, parameters.seed
    return [student_name(method, given, decay, seed, drops) for method, given in method_grid(parameters)]


def load_teacher(parameters: StudentParameters, images: Dataset, budget: Budget | None = None) -> Teacher:
    """The teacher the students learn from; trained first where it is not there."""
    if parameters.teacher_weights:
        return teachers.from_file(_teacher_model(parameters), paths.given(parameters.teacher_weights), images)
    return _teacher_of_seed(parameters, parameters.teacher_seed, images, budget)


def load_bystander(parameters: StudentParameters, images: Dataset, budget: Budget | None = None) -> Teacher | None:
    """The control: a teacher of another seed; None where none is wanted."""
    seed = parameters.bystander_seed
    return None if seed is None else _teacher_of_seed(parameters, seed, images, budget)


def _teacher_of_seed(parameters: StudentParameters, seed: int, images: Dataset, budget: Budget | None) -> Teacher:
    run = run_in(paths.given(parameters.teachers_dir or folder(parameters)) / teacher_name(seed))
    given = {name: getattr(parameters, name) for name in OF_TEACHERS}
    recipe = TeacherParameters(**given, output_dir=str(run.path.parent), seed=seed)
    if run.finished:
        _check_recipe(run, recipe, images, elsewhere=parameters.teachers_dir is not None)
    else:
        run = train_teacher(recipe, budget)
    return teachers.from_run(run, images)


def _check_recipe(run: Run, recipe: TeacherParameters, images: Dataset, elsewhere: bool) -> None:
    """Refuse a teacher that is another network than asked, or a trial's; say where its recipe is not today's."""
    model, found = _teacher_model(recipe), run.spec
    published.check_network(run, model if recipe.teacher_model else None)
    asked = make_spec(recipe, images, "teacher", model, "normal", {})
    usual = min(asked.epochs, profiles.get(recipe.profile).epochs)
    if found.epochs < usual and not elsewhere:
        raise ValueError(
            f"{run.path} was trained for {found.epochs} epoch{'s' * (found.epochs != 1)}, and the students' teacher "
            f"would be for {usual}: move that folder away, choose another output_dir, or learn from it: "
            f"teachers_dir={str(run.path.parent)!r}."
        )
    names = ["model", "epochs", "batch_size", "learning_rate", "momentum", "nesterov", "weight_decay", "drops"]
    names += ["precision"] if asked.precision != "auto" else []
    there, now = ({name: getattr(spec, name) for name in names} for spec in (found, asked))
    if odd := [f"{name} {there[name]}, not {now[name]}" for name in names if there[name] != now[name]]:
        print(f"{run.path} is there and serves as it is, trained otherwise than it would be now: {'; '.join(odd)}.")


def settled(parameters: StudyParameters, role: str) -> dict[str, Any]:
    """What of a run's identity neither its data, its network, its method nor its teachers decide."""
    profile = profiles.get(parameters.profile)
    given: dict[str, Any] = {name: getattr(parameters, name, None) for name in SETTLED}
    known = {name: getattr(profile, name, None) if value is None else value for name, value in given.items()}
    epochs, drops = parameters.epochs or profile.epochs, parameters.drops
    seeds = {"init": parameters.seed, "order": parameters.order_seed, "view": parameters.view_seed}
    return known | {
        **{f"{kind}_seed": parameters.seed if seed is None else seed for kind, seed in seeds.items()},
        "drops": tuple(profiles.scaled_drops(epochs) if drops is None else drops),
        "drop_factor": 0.1,
        "teacher_outputs": known["teacher_outputs"] if role == "student" else None,
    }


def make_spec(
    parameters: StudyParameters,
    images: Dataset,
    role: str,
    model: str,
    method: str,
    method_parameters: dict[str, float],
    teacher: Identity | None = None,
    bystander: Identity | None = None,
) -> RunSpec:
    """Identity of one run: what ``parameters`` say, and the profile where they leave it open."""
    derived = {
        "role": role,
        "dataset": images.name,
        "data_checksum": images.checksum,
        "model": model,
        "method": method,
        "method_parameters": method_parameters,
        "teacher": teacher,
        "bystander": bystander,
    }
    return RunSpec(**settled(parameters, role) | derived)


def _train(
    parameters: StudyParameters,
    specs: list[RunSpec],
    images: Dataset,
    budget: Budget | None = None,
    teacher: Teacher | None = None,
    bystander: Teacher | None = None,
) -> list[Run]:
    device, target = devices.choose(parameters.device), folder(parameters)
    exact = _in_exact_precision(specs, target, device)
    if are_published(target):
        return published.read(target, exact)
    names = ", ".join(spec.name for spec in exact)
    precisions = " and ".join(dict.fromkeys(spec.precision for spec in exact))
    print(f"{len(exact)} run{'s' * (len(exact) != 1)} on {device} in {precisions} into {target}: {names}", flush=True)
    begun = [run for run in (Run(target / spec.name) for spec in exact) if run.has_results]
    for run in begun:
        provenance.check_method(run)
    _say_begun(begun)
    execution = Execution(parameters.cuda_graph, parameters.streams, budget or Budget(parameters.minutes))
    return train(exact, target, images, device, execution, teacher=teacher, bystander=bystander)


def _say_begun(runs: list[Run]) -> None:
    """Name the runs that are not trained again, and those of which other code made a part, or all."""
    code, finished = provenance.code_digest(), [run.path.name for run in runs if run.finished]
    if finished:
        print(f"finished before, and not trained again: {', '.join(finished)}", flush=True)
    old = [run.path.name for run in runs if provenance.is_of_other_code(run, code)]
    for verb, names in (("made by", finished), ("going on, begun with", {*old}.difference(finished))):
        if some := ", ".join(name for name in old if name in names):
            print(f"{verb} other code than there is now: {some}; to train one anew, move its folder away.", flush=True)


def _in_exact_precision(specs: list[RunSpec], target: Path, device: torch.device) -> list[RunSpec]:
    """``specs`` without 'auto', which means the precision that a run began with, on any machine.

    A run that has not begun takes that of those it trains with, or else of finished ones beside it; where there are
    none, what suits ``device``.
    """
    begun = [run for run in (Run(target / spec.name) for spec in specs) if run.has_results]
    begun.sort(key=lambda run: run.finished)
    known = {run.path.name: run.spec.precision for run in begun}
    usual = next(iter(known.values()), None) or devices.natural_precision(device)
    return [
        replace(spec, precision=known.get(spec.name, usual)) if spec.precision == "auto" else spec for spec in specs
    ]
