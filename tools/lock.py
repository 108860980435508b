"""The lock: write requirements.txt from pyproject.toml.

    python tools/lock.py    # needs uv and a package index

The lock's first line carries a sha256 of pyproject's dependency tables, so a test sees without a network when it is
stale.
"""

import hashlib
import json
import re
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROJECT, LOCK = ROOT / "pyproject.toml", ROOT / "requirements.txt"
# What the study stands on; named at the head of the lock so that nobody has to search two hundred lines for them.
NAMED = [
    "torch",
    "torchvision",
    "jupyter",
    "jupyter-book",
    "ipywidgets",
    "plotly",
    "scikit-learn",
    "scipy",
    "papermill",
]
# One torch pair for every machine; torchvision works with exactly one torch release. A later jsonschema, which all that
# reads a notebook imports, needs a second and a half to compile grammars that nothing here asks for (its issue 1428).
CONSTRAINTS = "torch<=2.14.1\ntorchvision<=0.29.1\njsonschema<4.25\n"
COMPILE = (
    "uv pip compile pyproject.toml --universal --python-version 3.11 --all-extras --no-annotate --no-header "
    "--no-emit-index-url --no-emit-find-links --no-strip-markers --constraints - --quiet"
)


def fingerprint(project: Path = PROJECT) -> str:
    """Return the sha256 of everything in ``project`` that decides the lock."""
    table = tomllib.loads(project.read_text())["project"]
    decisive = {key: table[key] for key in ("requires-python", "dependencies", "optional-dependencies")}
    return hashlib.sha256((json.dumps(decisive, sort_keys=True) + CONSTRAINTS).encode()).hexdigest()


def recorded(lock: Path = LOCK) -> str:
    """Return the sha256 that ``lock`` was compiled for; empty if its first line holds none."""
    match = re.match(r"# sha256 of pyproject.toml's dependencies: (\w+)", lock.read_text())
    return match[1] if match else ""


def pins(text: str) -> dict[str, list[str]]:
    """Return each package's pinned lines (a package has several where platforms differ)."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if match := re.match(r"([a-z0-9._-]+)==", line):
            found.setdefault(match[1], []).append(line)
    return found


def compile_lock() -> str:
    """Resolve pyproject.toml for every platform and Python >= 3.11, and return the text of the lock."""
    done = subprocess.run(COMPILE.split(), input=CONSTRAINTS, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    body = re.sub(r"\+cpu|\+cu\d+", "", done.stdout)  # a local build is one machine's; the release is everybody's
    versions = pins(body)
    named = "\n".join(f"#   {line}" for name in NAMED for line in versions[name])
    return (
        f"# sha256 of pyproject.toml's dependencies: {fingerprint()}\n"
        "# Lock for Python >= 3.11 on Linux and macOS, written by `python tools/lock.py`; do not edit.\n"
        f"# What the study stands on, with everything else that these need pinned below:\n{named}\n{body}"
    )


if __name__ == "__main__":
    LOCK.write_text(compile_lock())
