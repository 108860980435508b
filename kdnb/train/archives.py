"""A finished run as one file, for storage that carries files but no folders (object storage).

    pack(Path("runs/digits/teacher-s0"), Path("teacher-s0.tar"))
    unpack(Path("teacher-s0.tar"), Path("runs/digits"))

In a bucket there are no folders: of a run kept there file by file, a part could be taken for the whole. An archive is
there or is not, since an object appears when its upload is complete; so a run is in the bucket with everything, or not
at all. It is a plain tar file, which ``tar -xf`` unpacks as well.
"""

import filecmp
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kdnb.files import write_atomically
from kdnb.runs import Run
from kdnb.train import locks

LAST = "history.parquet"  # where it is, the run is finished
RESULT = (LAST, "classifier.safetensors", "model.safetensors")  # two makings of one run may differ in nothing of these
OWN = ("finished", "lock")  # each folder's own, not the run's; nor is what a kill left half written, .*.tmp


def pack(folder: Path, archive: Path) -> None:
    """Write the run in ``folder`` as ``archive``, atomically; ValueError where it is not finished."""
    if not Run(folder).tidy:
        raise ValueError(f"{folder} holds no finished run; only those are packed.")
    files = sorted(file for file in folder.glob("[!.]*") if file.is_file() and file.name not in OWN)

    def write(target: Path) -> None:
        with tarfile.open(target, "w", dereference=True) as tar:  # a link leads nowhere elsewhere
            for file in files:
                tar.add(file, f"{folder.name}/{file.name}")

    write_atomically(archive, write)


def unpack(archive: Path, folder: Path) -> Run:
    """Put the run in ``archive`` under ``folder``; return it. The same run there, finished, stays as it is.

    A job at work on the run is waited for; of a killed call the next one takes up. Raises ValueError where the archive
    is damaged or holds no finished run, or where another result lies in the run's place.
    """
    try:
        with tarfile.open(archive) as tar:
            names = {tuple(Path(member.name).parts) for member in tar}
            run = Run(folder / next(iter(names))[0])
            published = (run.path.name, "published.json") in names  # without what is large
            needed = ("spec.json", LAST) if published else ("spec.json", *RESULT)
            lost = [name for name in needed if (run.path.name, name) not in names]
            if lost or any(len(name) != 2 or name[0] != run.path.name for name in names):
                told = f" (no {', '.join(lost)})" if lost else ""
                raise ValueError(f"{archive} holds no finished run, or more than one{told}. Pack the run again.")
            with _folder_beside(run) as there:
                tar.extractall(there, filter="data")
                _move(Run(there / run.path.name), run)
    except (tarfile.TarError, EOFError, StopIteration) as error:
        line = str(error).partition("\n")[0].rstrip(".:")
        raise ValueError(f"{archive} is no archive of a run, or a damaged one: {line}. Pack the run again.") from error
    return run


@contextmanager
def _folder_beside(run: Run) -> Iterator[Path]:
    """A folder to unpack into, the run kept from other jobs; nothing new is left where it is refused."""
    there = run.path / ".unpacked"
    try:
        with locks.ours([run]):
            shutil.rmtree(there, ignore_errors=True)  # of a killed call
            try:
                yield there
            finally:
                shutil.rmtree(there, ignore_errors=True)
    finally:
        with suppress(OSError):  # it holds something
            run.path.rmdir()


def _move(found: Run, run: Run) -> None:
    """Take the files of ``found`` for those of ``run``, the history last."""
    run.check(found.spec)
    if run.finished:
        if differing := [name for name in RESULT if not _same(found.path / name, run.path / name)]:
            raise ValueError(
                f"{run.path} holds another result of this run ({', '.join(differing)}). Nothing was overwritten: "
                "move that folder away, or delete the archive."
            )
    else:
        for file in sorted(found.path.iterdir(), key=lambda file: file.name == LAST):
            file.replace(run.path / file.name)
    run.clear()


def _same(one: Path, other: Path) -> bool:
    """Whether both have the same bytes, or neither is there."""
    there = one.exists(), other.exists()
    return not any(there) or (all(there) and filecmp.cmp(one, other, shallow=False))
