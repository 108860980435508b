"""The exhibits that there are, and the notebooks that show them."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import nbformat

import kdnb.figures
from kdnb.figures.exhibit import Maker

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def every() -> list[Maker[...]]:
    """All makers of exhibits in kdnb/figures."""
    modules = [importlib.import_module(m.name) for m in pkgutil.walk_packages(kdnb.figures.__path__, "kdnb.figures.")]
    found = [(module, item) for module in modules for item in vars(module).values() if isinstance(item, Maker)]
    return [item for module, item in found if item.__module__ == module.__name__]


def exhibits_of(chapter: str) -> list[Maker[...]]:
    """What the notebook gives to ``show``, in its order."""
    cells = nbformat.read(NOTEBOOKS / f"{chapter}.ipynb", as_version=4).cells
    sources = [cell.source for cell in cells if cell.cell_type == "code" and "google.colab" not in cell.source]
    tree = ast.parse("\n".join(sources))
    return list(_shown(tree, _imported(tree)))


def _imported(tree: ast.AST) -> dict[str, str]:
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {one.asname or one.name: f"{node.module}.{one.name}" for node in froms for one in node.names}


def _shown(tree: ast.AST, modules: dict[str, str]) -> Iterator[Maker[...]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "show":
            (made,) = node.args
            if isinstance(made, ast.Starred) and isinstance(made.value, ast.ListComp):  # one a study, under one menu
                made = made.value.elt
            assert isinstance(made, ast.Call) and isinstance(made.func, ast.Attribute), ast.unparse(node)
            assert isinstance(made.func.value, ast.Name)
            yield getattr(importlib.import_module(modules[made.func.value.id]), made.func.attr)
