"""What is found by itself: every file of a folder that defines one more of a kind adds it, under the name it has."""

from collections.abc import Iterable, Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, TypeVar

T = TypeVar("T")


def find(package: str, path: Iterable[str], kind: type[T]) -> dict[str, type[T]]:
    """The classes under ``kind`` that name themselves, by name, once all files of ``package`` (at ``path``) are read.

    ValueError for two of one name, and for one without, unless others build on it.
    """
    for module in iter_modules(path):
        import_module(f"{package}.{module.name}")
    return by_name(_defined(kind))


def _defined(kind: type[T]) -> Iterator[type[T]]:
    for inherited in kind.__subclasses__():
        if "name" in vars(inherited):
            yield inherited
        elif not inherited.__subclasses__():
            raise ValueError(
                f"{inherited.__module__}: the class {inherited.__name__} has no name of its own by which it could be "
                "asked for; write name = '...' in it."
            )
        yield from _defined(inherited)


def by_name(kinds: Iterable[Any], called: str = "name") -> dict[str, Any]:
    """Classes by their ``name``, or ``label``; ValueError, with their files, for two that are called alike."""
    found: dict[str, Any] = {}
    for kind in kinds:
        name = getattr(kind, called)
        if name in found:
            files, what = f"{found[name].__module__} and {kind.__module__}", kind.__module__.split(".")[1]
            raise ValueError(f"two {what} have the {called} {name!r}, in {files}; change it in one.")
        found[name] = kind
    return found
