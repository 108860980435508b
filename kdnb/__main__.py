"""``kdnb``, or ``python -m kdnb``: train without Jupyter, plan and watch sweeps, publish and compare, build the book.

kdnb students --profile cifar100 --temperatures 1 4 10
kdnb students --help: its options; kdnb --version: which kdnb this is
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from subprocess import CalledProcessError
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

STOPPED = (
    "kdnb: stopped; no file is half written, and the same command goes on: training after its last finished epoch, "
    "publishing after its last finished run, all else from its start."
)

try:  # torch takes seconds to import, and who stops meanwhile is told the same
    import tyro
    from annotated_types import MinLen
    from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

    from kdnb import __version__, data, paths, profiles
    from kdnb.device import DeviceLost
    from kdnb.files import write_atomically
    from kdnb.parameters import Count, StudentParameters, TeacherParameters, checked
    from kdnb.surroundings import lasting
    from kdnb.sweep.commands import Plan, Status
    from kdnb.train.budget import TimeUp
    from kdnb.train.study import train_students, train_teacher
except KeyboardInterrupt:
    print(STOPPED, file=sys.stderr)
    sys.exit(130)
except ValueError as error:  # the file of a method or a data set is refused
    print(f"kdnb: {error}", file=sys.stderr)
    sys.exit(2)

RUN_AGAIN = 75  # sysexits.h: a temporary failure; queues may call again


@checked
class _Reading:
    """What commands have in common that read runs and write for the book; each imports what it alone needs."""

    profile: str  # whose runs: digits, cifar100, ...: see kdnb.profiles
    output: Path | None = None  # the folder of published runs; None: results/PROFILE

    @property
    def results(self) -> Path:
        """Where published runs are, or will be; ValueError for an unknown profile."""
        profiles.get(self.profile)
        return lasting(self.output or paths.results(self.profile))


@checked
class _OnImages(_Reading):
    """Those of them that look at the images again."""

    data_dir: Path | None = None  # where the data set's files are; None: data/
    limit: Count | None = None  # so many images of each split, if the runs were trained with a limit

    def images(self, folders: Sequence[Path]) -> data.Dataset:
        """The data set of the runs in ``folders``; the profile's where there are none."""
        from kdnb import runs

        of_runs = (run.spec.dataset for folder in folders for run in runs.find(folder))
        name = next(of_runs, profiles.get(self.profile).dataset)
        return data.load(name, self.data_dir or paths.root() / "data", download=False, limit=self.limit)


@checked
class Publish(_Reading):
    """Small copies of a study's finished runs, fit for the repository (see kdnb.analysis.publish)."""

    runs: Path | None = None  # where the full runs are; None: runs/PROFILE

    def run(self) -> None:
        """Publish; say how much it is."""
        from kdnb.analysis.publish import publish, size

        written = publish(self.runs or paths.runs(self.profile), self.results)
        print(f"{self.results}: {len(written)} written, {size(self.results) / 1e6:.2f} MB in all")


@checked
class Compare(_OnImages):
    """Several full runs side by side, in small files beside published ones (see kdnb.analysis.comparisons)."""

    runs: tuple[Path, ...] = ()  # folders of full runs; none: runs/PROFILE

    def run(self) -> None:
        """Compare; say which files there are."""
        from kdnb.analysis import comparisons

        results, folders = self.results, self.runs or [paths.runs(self.profile)]
        for file in comparisons.write(folders, self.images(folders), results):
            print(f"{file}: {file.stat().st_size / 1e6:.2f} MB")


@checked
class Representability(_OnImages):
    """What is within a frozen classifier's reach, from published runs (see kdnb.analysis.representability)."""

    runs: Path | None = None  # where the runs are; None: results/PROFILE

    def run(self) -> None:
        """Compute and write; show the mean of each method."""
        from kdnb.analysis import representability

        file, folder = self.results / representability.FILE, self.runs or paths.results(self.profile)
        found = representability.table(folder, self.images([folder]))
        write_atomically(file, lambda target: found.to_parquet(target, index=False, compression="zstd"))
        print(found.groupby("label")[["residual", "agreement", "unwinnable"]].mean().round(4).to_string())
        print(f"{file}: {len(found)} classifiers")


@checked
class Crossed(_Reading):
    """The own teacher less another's, over all pairs of teachers (see kdnb.analysis.crossed)."""

    runs: Annotated[tuple[Path, ...], MinLen(1)]  # a folder for each pair of teachers

    def run(self) -> None:
        """Compute and write; show how much nearer students are to their own."""
        from kdnb.analysis import crossed

        file, found = self.results / crossed.FILE, crossed.table(self.runs)
        write_atomically(file, lambda target: found.to_parquet(target, index=False, compression="zstd"))
        shown = crossed.contrasts(found).groupby(["measure", "label"])["nearer"].agg(["mean", "min", "max", "count"])
        print(shown.round(4).to_string())
        print(f"{file}: {len(found)} rows")


@checked
class Book:
    """The book from executed notebooks; nothing is trained or executed (see kdnb.book.build)."""

    profile: str = "digits"  # whose executed notebooks
    executed: Path | None = None  # folder of executed notebooks; None: build/PROFILE/executed
    output: Path | None = None  # where the book goes; None: build/PROFILE/book
    missing: tuple[Path, ...] = ()  # folders of runs that the study asks for and has not finished

    def run(self) -> None:
        """Build; say what to open."""
        from kdnb.book.build import build

        made = paths.root() / "build" / self.profile
        try:
            output = lasting(self.output or made / "book").resolve()
            page = build(paths.root(), self.executed or made / "executed", output, self.missing)
        except CalledProcessError as error:
            raise OSError(f"Sphinx gave up (status {error.returncode}); its warnings are above.") from None
        print(f"The book is ready: open {page.as_uri()}")


@checked
class Data:
    """Fetch a data set where it is not there yet, and check it: on clusters, before jobs that have no network."""

    name: tyro.conf.Positional[str]  # digits, digits-few, cifar10, cifar100, or folder
    data_dir: Path | None = None  # where its files are or will be put; None: data/

    def run(self) -> None:
        """Load it; say what it holds."""
        found = data.load(self.name, lasting(self.data_dir or paths.root() / "data"))
        print(f"{found.name}: {len(found.train.labels):,} training and {len(found.test.labels):,} test images")


@checked
class SetAside:
    """Set aside the runs that other training code made, for studies that are cheap to redo; the latest of each name."""

    folder: tyro.conf.Positional[Path]  # of runs; those of other code go to FOLDER.stale

    def run(self) -> None:
        """Move them; say which."""
        from kdnb.train.provenance import code_digest
        from kdnb.train.set_aside import set_aside

        names = set_aside(self.folder, code_digest())
        print(f"{self.folder}: of other code and set aside: {', '.join(names) or 'none'}")


@checked
class Pack:
    """Write finished runs as one file each, for storage that carries no folders (see kdnb.train.archives)."""

    folder: tyro.conf.Positional[Path]  # where the runs are
    archives: Annotated[tuple[Path, ...], MinLen(1)]  # files to write, each called after its run: NAME.tar

    def run(self) -> None:
        """Pack."""
        from kdnb.train.archives import pack

        for archive in self.archives:
            pack(self.folder / archive.name.removesuffix(".tar"), archive)


@checked
class Unpack:
    """Put runs that `kdnb pack` wrote into a folder of runs; those that are there already stay."""

    folder: tyro.conf.Positional[Path]  # where the runs go
    archives: Annotated[tuple[Path, ...], MinLen(1)]  # files to read

    def run(self) -> None:
        """Unpack."""
        from kdnb.train.archives import unpack

        for archive in self.archives:
            unpack(archive, self.folder)


Other = Status | Plan | Publish | Compare | Representability | Crossed | Book | Data | SetAside | Pack | Unpack
Asked = TeacherParameters | StudentParameters | Other
Command = (
    Annotated[TeacherParameters, tyro.conf.subcommand("teacher", description="Train the teacher of a seed.")]
    | Annotated[StudentParameters, tyro.conf.subcommand("students", description="Train students, teachers first.")]
    | Other
)


REGISTRY = ConstructorRegistry()
WORDS = {int: "INT", float: "FLOAT", bool: "{true,false}", str: "TEXT", Path: "PATH"}


@REGISTRY.primitive_rule
def as_typed(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """Take every value as the text that was typed: the fields' rules read it, as they read papermill's and YAML's."""
    several = get_args(info.type) if info.type_origin in (Union, UnionType) else (info.type,)
    known = [one for one in several if one is not NoneType]
    if len(known) != 1:
        return None
    optional, listed = len(known) < len(several), get_origin(known[0]) is tuple
    inner = get_args(known[0])[0] if listed else known[0]
    while get_origin(inner) is Annotated:
        inner = get_args(inner)[0]
    if not (inner in WORDS or get_origin(inner) is Literal):
        return None
    word = "{" + ",".join(get_args(inner)) + "}" if inner not in WORDS else WORDS[inner]

    def read(words: list[str]) -> Any:
        words = [] if listed and words == ["[]"] else words  # as YAML has it
        words = [str(paths.given(word)) if word else word for word in words] if inner is Path else words
        if optional and [word.lower() for word in words] == ["none"]:
            return None
        return tuple(words) if listed else words[0]

    def write(value: Any) -> list[str]:
        return [f"{one:g}" if isinstance(one, float) else str(one) for one in (value if listed and value else [value])]

    metavar = word + "..." * listed + "|None" * optional
    return PrimitiveConstructorSpec("*" if listed else 1, metavar, read, lambda _: True, write)


def parse(arguments: Sequence[str] | None = None) -> Asked:
    """What a command line asks for; ValueError for values that are refused, SystemExit for words."""
    given = sys.argv[1:] if arguments is None else arguments
    # --no-nesterov: short for --nesterov false
    words = [part for word in given for part in ([f"--{word[5:]}", "false"] if word.startswith("--no-") else [word])]
    found: Asked = tyro.cli(
        Command,
        prog="kdnb",
        description=__doc__,
        args=words,
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.AvoidSubcommands, tyro.conf.FlagConversionOff),
        registry=REGISTRY,
    )
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what a command line asks; 0 when all is finished, else one line on standard error.

    2: something was refused or failed; 75: the minutes were used up, and the same command goes on; 130: Ctrl-C; 141:
    the programme that read what it prints has ended.
    """
    given = sys.argv[1:] if arguments is None else arguments
    if list(given) == ["--version"]:
        print(f"kdnb {__version__}")
        return 0
    try:
        _do(parse(given))
        sys.stdout.flush()
    except BrokenPipeError:  # its reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python writes what is left at its exit
        return 141
    except (ValueError, OSError, FloatingPointError, MemoryError, DeviceLost) as error:
        print(f"kdnb: {error}", file=sys.stderr)
        return 2
    except TimeUp as stop:
        print(f"kdnb: {stop}", file=sys.stderr)
        return RUN_AGAIN
    except KeyboardInterrupt:
        print(STOPPED, file=sys.stderr)
        return 130
    return 0


def _do(asked: Asked) -> None:
    if not isinstance(asked, TeacherParameters | StudentParameters):
        return asked.run()
    for run in train_students(asked) if isinstance(asked, StudentParameters) else [train_teacher(asked)]:
        accuracy, epochs = 100 * run.last("test_accuracy"), int(run.last("epoch"))
        print(f"{run.path}: {run.label}, test accuracy {accuracy:.2f}% after {epochs} epoch{'s' * (epochs != 1)}")


if __name__ == "__main__":
    sys.exit(main())
