"""``python -m kdnb teacher|students``: train with the notebooks' parameters where there is no Jupyter.

python -m kdnb students --profile cifar100 --temperatures 1 4 10
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import Field, fields
from typing import Any

from kdnb.device import DeviceLost
from kdnb.parameters import StudentParameters, StudyParameters, TeacherParameters
from kdnb.train.budget import TimeUp
from kdnb.train.study import train_students, train_teacher

RUN_AGAIN = 75  # sysexits.h: a temporary failure; queues may call again
COMMANDS = {"teacher": TeacherParameters, "students": StudentParameters}


def parser() -> argparse.ArgumentParser:
    """The command line: an option for each parameter."""
    top = argparse.ArgumentParser(
        prog="python -m kdnb", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = top.add_subparsers(dest="command", required=True)
    for name, kind in COMMANDS.items():
        command = commands.add_parser(name, help=kind.__doc__)
        for field in fields(kind):
            _add_option(command, field)
    return top


def _add_option(command: argparse.ArgumentParser, field: Field[Any]) -> None:
    kinds = str(field.type)
    option = f"--{field.name.replace('_', '-')}"
    several = "list" in kinds
    if kinds == "bool" or field.type is bool:
        command.add_argument(option, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS)
        return
    convert = next((kind for kind, word in ((float, "float"), (int, "int")) if word in kinds), str)
    help_text = f"default: {field.default!r}".replace("%", "%%")
    command.add_argument(
        option, type=convert, nargs="+" if several else None, default=argparse.SUPPRESS, help=help_text
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Train; 0 when all is finished, else one line on standard error.

    2: something was refused or failed; 75: the minutes were used up, and the same command goes on; 130: Ctrl-C.
    """
    given = vars(parser().parse_args(arguments))
    kind: type[StudyParameters] = COMMANDS[given.pop("command")]
    try:
        parameters = kind(**given)
        runs = train_students(parameters) if isinstance(parameters, StudentParameters) else [_teacher(parameters)]
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
        last = run.history.iloc[-1]
        accuracy, epochs = 100 * last["test_accuracy"], int(last["epoch"])
        print(f"{run.path}: {run.label}, test accuracy {accuracy:.2f} % after {epochs} epochs")
    return 0


def _teacher(parameters: StudyParameters) -> Any:
    assert isinstance(parameters, TeacherParameters)
    return train_teacher(parameters)


if __name__ == "__main__":
    sys.exit(main())
