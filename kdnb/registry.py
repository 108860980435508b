"""What is found by itself: every file of a folder that defines one more of a kind adds it, under the name it has."""

from collections.abc import Iterable, Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, TypeVar

T = TypeVar("T")


def find(package: str, path: Iterable[str], kind: type[T]) -> dict[str, type[T]]:
    """The classes under ``kind`` that name themselves, by name, once all files of ``package`` (at ``path``) are read.

    ValueError for two of one name.
    """
    for module in iter_modules(path):
        import_module(f"{package}.{module.name}")
    return by_name(_defined(kind))


def _defined(kind: type[T]) -> Iterator[type[T]]:
    for inherited in kind.__subclasses__():
        if "name" in vars(inherited):
            yield inherited
        yield from _defined(inherited)


def by_name(kinds: Iterable[Any]) -> dict[str, Any]:
    """Classes by their ``name``; ValueError, with their files, for two of one name."""
    found: dict[str, Any] = {}
    for kind in kinds:
        if kind.name in found:
            files, what = f"{found[kind.name].__module__} and {kind.__module__}", kind.__module__.split(".")[1]
            raise ValueError(f"two {what} are called {kind.name!r}, in {files}; rename one.")
        found[kind.name] = kind
    return found
