"""Where the repository is: notebooks run from any folder and never use relative paths."""

import os
from pathlib import Path

COMPARISONS = "comparisons"  # the folder, beside published runs, of what takes several of them side by side


def given(path: str | Path) -> Path:
    """A path as somebody wrote it, ~ read as a shell does: none reads it in --output-dir=~/runs, YAML and notebooks."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  # pathlib's raises where there is no such user


def root() -> Path:
    """Return the repository root: KDNB_ROOT, else the nearest folder above cwd, else above the package.

    The root is the folder that holds _config.yml and kdnb/. A package installed without a repository (Colab) has
    none; there the current folder is the root, so that data/ and runs/ appear where the user can see them.

    Raises: NotADirectoryError when KDNB_ROOT names no folder.
    """
    if asked := os.environ.get("KDNB_ROOT"):
        folder = given(asked).resolve()
        if not folder.is_dir():
            raise NotADirectoryError(f"KDNB_ROOT is {asked!r}, not a folder; name the repository's root or unset it.")
        return folder
    here = Path.cwd()
    above = (here, *here.parents, *Path(__file__).resolve().parents)
    return next((place for place in above if (place / "_config.yml").is_file() and (place / "kdnb").is_dir()), here)


def runs(profile: str) -> Path:
    """Where a profile's runs are kept: KDNB_RUNS/<profile> when that says one, else runs/<profile> under the root."""
    return given(os.environ.get("KDNB_RUNS") or root() / "runs") / profile


def results(profile: str) -> Path:
    """Where a profile's published results are: results/<profile> under the root."""
    return root() / "results" / profile
