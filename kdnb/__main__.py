"""``python -m kdnb teacher|students``, or ``kdnb``: train with the notebooks' parameters where there is no Jupyter.

kdnb students --profile cifar100 --temperatures 1 4 10
"""

import sys
from collections.abc import Sequence
from typing import Annotated

import tyro

from kdnb import __version__
from kdnb.device import DeviceLost
from kdnb.parameters import StudentParameters, TeacherParameters
from kdnb.runs import Run
from kdnb.train.budget import TimeUp
from kdnb.train.study import train_students, train_teacher

RUN_AGAIN = 75  # sysexits.h: a temporary failure; queues may call again
Command = (
    Annotated[TeacherParameters, tyro.conf.subcommand("teacher", description="Train the teacher of a seed.")]
    | Annotated[StudentParameters, tyro.conf.subcommand("students", description="Train students, teachers first.")]
)


def parse(arguments: Sequence[str] | None = None) -> TeacherParameters | StudentParameters:
    """The parameters that a command line asks for; ValueError for values that are refused, SystemExit for words."""
    found: TeacherParameters | StudentParameters = tyro.cli(
        Command,
        prog="kdnb",
        description=__doc__,
        args=arguments,
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.AvoidSubcommands),
    )
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Train; 0 when all is finished, else one line on standard error.

    2: something was refused or failed; 75: the minutes were used up, and the same command goes on; 130: Ctrl-C.
    """
    given = sys.argv[1:] if arguments is None else arguments
    if list(given) == ["--version"]:
        print(f"kdnb {__version__}")
        return 0
    try:
        runs = _train(parse(given))
    except (ValueError, OSError, FloatingPointError, MemoryError, DeviceLost) as error:
        print(f"kdnb: {error}", file=sys.stderr)
        return 2
    except TimeUp as stop:
        print(f"kdnb: {stop}", file=sys.stderr)
        return RUN_AGAIN
    except KeyboardInterrupt:
        print("kdnb: stopped; finished epochs are stored, and the same command goes on from there.", file=sys.stderr)
        return 130
    for run in runs:
        accuracy, epochs = 100 * run.last("test_accuracy"), int(run.last("epoch"))
        print(f"{run.path}: {run.label}, test accuracy {accuracy:.2f} % after {epochs} epochs")
    return 0


def _train(parameters: TeacherParameters | StudentParameters) -> list[Run]:
    if isinstance(parameters, StudentParameters):
        return train_students(parameters)
    return [train_teacher(parameters)]


if __name__ == "__main__":
    sys.exit(main())
