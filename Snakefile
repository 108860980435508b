"""The whole study: teacher and bystander -> students -> chapters -> book, through papermill.

    snakemake --workflow-profile profiles/local --configfile config/digits.yaml   (`make study` does this)
    snakemake --workflow-profile profiles/slurm --configfile config/cifar100.yaml (`make study PROFILE=cifar100 ON=slurm`)
    snakemake --workflow-profile profiles/kubernetes --configfile config/cifar100.yaml         (... ON=kubernetes`)

A second call does nothing. A run's file ``finished`` is its marker: delete it with the run's folder, and that run alone
is redone, since the trainer skips runs that are finished. A changed notebook redoes its chapter; a changed training
source, where the configuration says so, the runs it made; any other file of kdnb/ the chapters. Which runs share a job,
and where it runs, is no part of that: a split that changes redoes nothing.

Where and how jobs run stands in profiles/. Settings of a configuration, which a profile or ``--config`` may override:

gpus_a_job     what a training job needs; 1
gpu_model      of which kind, where a cluster has several
discard_stale  true: a changed training source sets aside the runs it made; false
runs_a_job     at most so many students in a job; without it a lockstep group is one job
spare_minutes  so long before the profile's time limit (``runtime``) a training job stops by itself; 10
train          false: the book of what is finished, which says what is missing

With a default storage provider (profiles/kubernetes: S3) training jobs share no file system with this machine. What they
make travels as one archive a run, and is unpacked here, where chapters and book are made of it.
"""

import json
import os
import sys
from pathlib import Path
from shlex import join, quote

from snakemake.exceptions import WorkflowError
from snakemake.io import sourcecache_entry

from kdnb import data, paths, profiles
from kdnb.parameters import StudentParameters
from kdnb.runs import Run, are_published
from kdnb.train import grid, provenance, study

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread a job: more only spin when jobs run side by side
os.environ["KDNB_DISPLAY"] = "static"  # figures for the book, whoever calls
if "runs" in config:
    os.environ["KDNB_RUNS"] = str(paths.root() / config["runs"])
grid.check_whole(config)
PROFILE = config["profile"]
RUNS = paths.runs(PROFILE)
BUILD = config.get("build", f"build/{Path(workflow.configfiles[-1]).stem}")  # called like the configuration
COMMON = {"profile": PROFILE, **(config.get("common") or {})}  # parameters of every training notebook
OF_TEACHERS = grid.of_teachers(COMMON)
CHAPTERS = sorted(file.stem for file in (paths.root() / "notebooks").glob("*.ipynb"))
GROUPS = grid.groups(config["students"], COMMON)
JOBS = {}  # name of the job: its group's parameters, its own methods
STUDIES = {name: StudentParameters(**given) for name, given in GROUPS.items()}
for name, runs in grid.own_runs(STUDIES, RUNS).items():
    split = grid.jobs(list(runs.values()), config.get("runs_a_job"))
    for place, methods in enumerate(split, 1):
        JOBS[f"{name}_{place}" if len(split) > 1 else name] = GROUPS[name], methods


def markers(given, methods):
    """Of a job's runs."""
    parameters = StudentParameters(**{**given, "methods": methods})
    return [f"{study.folder(parameters)}/{run}/finished" for run in study.student_names(parameters)]


# local: here, also where jobs share no file system with this machine
TEACHERS = local([f"{RUNS}/teacher-s{seed}/finished" for seed in grid.teachers(config["teachers"], STUDIES, RUNS)])
STUDENTS = local(sorted({marker for job in JOBS.values() for marker in markers(*job)}))
MISSING = []
if not config.get("train", True):  # the book of what is there
    MISSING = [marker for marker in [*TEACHERS, *STUDENTS] if not os.path.exists(marker)]
    TEACHERS, STUDENTS = (local([one for one in asked if one not in MISSING]) for asked in (TEACHERS, STUDENTS))
    for run in map(Run, map(os.path.dirname, MISSING)):
        print(f"missing: {run.path.name}{f', stopped by: {run.failure}' if run.failure else ''}", file=sys.stderr)
CARRIED = workflow.storage_settings.default_storage_provider is not None
GPU = {"gpu": config.get("gpus_a_job", 1)} | {key: config[key] for key in ("gpu_model",) if key in config}
CODE = [f"{RUNS}/code"] if config.get("discard_stale") and not CARRIED else []
dataset = COMMON.get("dataset") or profiles.get(PROFILE).dataset
DATA = [f"{BUILD}/data"] if data.SOURCES[dataset].fetched and not CARRIED else []  # else each job's own business
PAPERMILL = (
    "papermill -k python3 --no-progress-bar --log-output --request-save-on-cell-execute "
    "{input.notebook:q} {log.notebook:q} -y {params.given:q}"
)
# Prints a notebook's progress lines, what it says of a teacher trained otherwise, and the line of an error; keeps all.
SHOWN = ": (epoch|chunk) |^[A-Za-z]+(Error|Up|Lost): | is there and serves as it is, "
LOGGED = f" 2>&1 | tee {{log.text:q}} | {{{{ grep --line-buffered -E '{SHOWN}' || true; }}}}"
TRAINING = PAPERMILL + " -y {params.here:q}" + LOGGED


def training(folder, before=""):
    """A training job's commands; with a storage also those that pack the runs it makes in ``folder``."""
    packed = f"python -m kdnb pack {quote(str(folder))} --archives {{output:q}}"
    return f"{before}{TRAINING}\n{packed}" if CARRIED else TRAINING


def made(markers):
    """What a training job makes: its runs' markers; with a storage the runs' archives, which come whole or not at all."""
    if not CARRIED:
        return markers
    folders = [os.path.relpath(os.path.dirname(marker), RUNS.parent) for marker in markers]
    return [f"{config.get('runs', 'runs')}/{folder}.tar" for folder in folders]


def source(file):
    """A file of the repository, of which every job has its own copy: never from the storage."""
    return sourcecache_entry(file, file)


def here(resources, **methods):
    """Parameters of a training notebook that change nothing of what a run is: which runs go together, and for how long.

    Snakemake does not compare them with an earlier call's, since they depend on resources.
    """
    spare, limit = config.get("spare_minutes", 10), resources.get("runtime")
    if limit and limit <= spare:
        raise WorkflowError(f"runtime is {limit} minutes, and spare_minutes {spare}: no time is left to train in.")
    return json.dumps(methods | ({"minutes": limit - spare} if limit else {}))


def in_the_sweep(given):
    """Whether the chapter on students shows a group: it differs in nothing but plain methods and temperature."""
    plain = not any(":" in method for method in given["methods"])
    return plain and set(given) <= {*COMMON, "methods", "temperatures", "seed"} and not given.get("seed")


# Each group's students that are there, or will be: the chapter would train others.
THERE = {name: [] for name in GROUPS}
for name, (given, methods) in JOBS.items():
    group = next(key for key, asked in GROUPS.items() if asked is given)
    THERE[group] += [method for method in methods if markers(given, [method])[0] in STUDENTS]
THERE = {name: methods for name, methods in THERE.items() if methods}
if GROUPS and not THERE:
    raise WorkflowError("no student is finished that a book could show.")
# Of a study without a sweep of seed 0, such as one of another seed or of other teachers, the first group.
SWEEP = [name for name in THERE if in_the_sweep(GROUPS[name])] or list(THERE)[:1]
everything = {**COMMON, **(GROUPS[SWEEP[0]] if SWEEP else {})}
everything["methods"] = list(dict.fromkeys(method for name in SWEEP for method in THERE[name]))


def published(chapter):
    """What a chapter is given where nothing is trained for it: published runs, since no chapter trains."""
    if are_published(RUNS):
        return {"profile": PROFILE}
    if not are_published(folder := paths.results(PROFILE)):
        raise WorkflowError(
            f"{chapter} would have nothing to show: the configuration asks for no such run, and none of {PROFILE} is "
            "published. Name a seed in `teachers`, and a group in `students`."
        )
    print(f"{chapter}: nothing of it is trained here, so it shows the runs in {folder}", file=sys.stderr)
    return {"profile": PROFILE, "output_dir": str(folder)}


def of_the_teacher():
    """The seed of the one that the sweep's students learned from, or else of any that is trained."""
    seeds = [int(Path(marker).parent.name.removeprefix("teacher-s")) for marker in TEACHERS]
    first = everything.get("teacher_seed", 0)
    return {**OF_TEACHERS, "seed": first if first in seeds else seeds[0]} if seeds else published("01_teacher")


# What only published studies have, side by side: the notebooks name them. They wait for no student.
OF_RESULTS = ["08_statistics", "11_methods", "09_interventions", "10_geometry", "13_discussion"]
given_to = {
    # The best evidence of each; "cifar100" stands for the study nearest to the paper's.
    "00_start": {"profiles": list(dict.fromkeys([PROFILE, "digits", "cifar100"]))},
    **dict.fromkeys(
        ["03_mu_curves", "04_correlation", "05_tsne"],
        {"profiles": list(dict.fromkeys([PROFILE, "cifar100", "digits"]))},
    ),
    "01_teacher": of_the_teacher(),
    "02_students": everything if GROUPS else published("02_students"),
    **dict.fromkeys(OF_RESULTS, {}),
}
RESULTS = [
    str(file) for kind in ("*/published.json", "comparisons/*") for file in paths.root().glob(f"results/[!.]*/{kind}")
]
RESULTS = local(sorted(RESULTS))
SOURCES = local([*provenance.sources(), *sorted(map(str, paths.root().glob("kdnb/book/static/*")))])


wildcard_constraints:
    seed=r"\d+",


rule all:
    input:
        local(f"{BUILD}/book/index.html"),
        TEACHERS,
        STUDENTS,


rule trained:
    """Every run, and no book."""
    input:
        TEACHERS,
        STUDENTS,


localrules:
    all,
    trained,
    code,
    data,
    book,


if config.get("train", True):

    rule code:
        """Set aside what other training code made."""
        input:
            provenance.training_sources(),
        output:
            f"{RUNS}/code",
        shell:
            "python -m kdnb set-aside {RUNS:q} && echo made > {output:q}"

    rule data:
        """Fetch the data set, once and here: nodes of a cluster often have no network."""
        output:
            f"{BUILD}/data",
        params:
            folder=f"--data-dir {quote(COMMON['data_dir'])}" if COMMON.get("data_dir") else "",
        shell:
            "python -m kdnb data {dataset} {params.folder} && touch {output:q}"

    rule teacher:
        input:
            CODE,
            ancient(DATA),
            notebook=source("notebooks/01_teacher.ipynb"),
        output:
            made([f"{RUNS}/teacher-s{{seed}}/finished"]),
        params:
            given=lambda wildcards: json.dumps({**OF_TEACHERS, "seed": int(wildcards.seed)}),
            here=lambda wildcards, resources: here(resources),
        resources:
            **GPU,
        log:
            notebook=f"{BUILD}/log/teacher-s{{seed}}.ipynb",
            text=f"{BUILD}/log/teacher-s{{seed}}.txt",
        shell:
            training(RUNS)

    for place, (name, (given, methods)) in enumerate(JOBS.items()):

        rule:
            name:
                f"students_{name}"
            input:
                CODE,
                teachers=made(TEACHERS),
                notebook=source("notebooks/02_students.ipynb"),
            output:
                made(markers(given, methods)),
            priority: len(JOBS) - place  # as the configuration lists them
            params:
                given=json.dumps(given),
                here=lambda wildcards, resources, methods=methods: here(resources, methods=methods),
            resources:
                **GPU,
            log:
                notebook=f"{BUILD}/log/students-{name}.ipynb",
                text=f"{BUILD}/log/students-{name}.txt",
            shell:
                training(
                    study.folder(StudentParameters(**given)),
                    "python -m kdnb unpack {RUNS:q} --archives {input.teachers:q}\n",
                )


if config.get("train", True) and CARRIED:
    fetched = {"teachers": TEACHERS, **{name: markers(*job) for name, job in JOBS.items()}}
    for name, found in ((name, found) for name, found in fetched.items() if found):

        rule:
            """Unpack here what was made elsewhere."""
            name:
                f"fetched_{name}"
            input:
                made(found),
            output:
                local(found),
            params:
                folder=Path(found[0]).parents[1],
            shell:
                "python -m kdnb unpack {params.folder:q} --archives {input:q}"


rule chapter:
    """Execute a notebook for the book; it only reads finished runs. It takes its place when it is complete."""
    input:
        TEACHERS,
        lambda wildcards: [] if wildcards.chapter in OF_RESULTS else STUDENTS,
        RESULTS,
        SOURCES,
        notebook=local("notebooks/{chapter}.ipynb"),
    output:
        local(f"{BUILD}/executed/{{chapter}}.ipynb"),
    params:
        given=lambda wildcards: json.dumps(given_to.get(wildcards.chapter, {"profile": PROFILE})),
    log:
        notebook=local(f"{BUILD}/log/{{chapter}}.ipynb"),
        text=local(f"{BUILD}/log/{{chapter}}.txt"),
    shell:
        PAPERMILL + LOGGED + "\ncp {log.notebook:q} {output:q}"


rule book:
    input:
        local(expand(f"{BUILD}/executed/{{chapter}}.ipynb", chapter=CHAPTERS)),
        local(expand("book/{page}", page=glob_wildcards("book/{page}").page)),
        local(["_config.yml", "_toc.yml"]),
        SOURCES,
    output:
        local(f"{BUILD}/book/index.html"),
    params:
        missing="--missing " + join(map(os.path.dirname, MISSING)) if MISSING else "",
    log:
        local(f"{BUILD}/log/book.txt"),
    shell:
        "python -m kdnb book --executed {BUILD:q}/executed --output {BUILD:q}/book --profile {PROFILE} {params.missing} "
        "2>&1 | tee {log:q}"
