"""Where publications wait until all of a call are made, and how they come into their place."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from kdnb.files import way_out
from kdnb.runs import Run

LAST = ("history.parquet", "finished")  # the marks of a run that is whole, moved in when all else is there


@contextmanager
def beside(target: Path) -> Iterator[Path]:
    """A folder beside ``target`` itself, should that be a link: files can be moved on one disk only.

    It goes at a good end alone; OSError while another call has it.
    """
    place = target.resolve()
    folder = place.with_name(f".publish-{place.name}")
    lock = FileLock(folder / "lock", timeout=0, fallback_to_soft=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise OSError(f"another call publishes into {target}; run again when it has ended.") from None
    except OSError as error:
        raise OSError(f"nothing can be written in {place.parent}: {error.strerror}; {way_out(error)}.") from error
    try:
        yield folder
        shutil.rmtree(folder)
    finally:
        lock.release()


def install(made: Run, target: Path) -> None:
    """Move each file into its place in ``target``, atomically; the marks of a whole run last."""
    place = target / made.path.name
    place.mkdir(parents=True, exist_ok=True)
    for mark in LAST:  # neither of which a mixture of old and new may have
        (place / mark).unlink(missing_ok=True)
    for file in sorted(made.path.iterdir(), key=lambda file: LAST.index(file.name) if file.name in LAST else -1):
        file.replace(place / file.name)
