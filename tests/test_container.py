"""Containerfile as far as it can be read: no image is built here."""

import fnmatch
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

from containers import ROOT, instructions
from packaging.specifiers import SpecifierSet

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def words(name: str) -> list[list[str]]:
    return [shlex.split(given) for one, given in instructions() if one == name]


def copied() -> list[str]:
    return [source for given in words("COPY") for source in given[:-1]]


def ignored(path: str) -> bool:
    """Whether the last pattern of .containerignore that fits ``path``, or a folder above it, leaves it out."""
    parts = Path(path).parts
    above = ["/".join(parts[:place]) for place in range(1, len(parts) + 1)]
    result = False
    for line in (ROOT / ".containerignore").read_text().splitlines():
        pattern = line.removeprefix("!").replace("**/", "*")
        if line and not line.startswith("#") and any(fnmatch.fnmatch(one, pattern) for one in above):
            result = not line.startswith("!")
    return result


def tracked() -> list[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


def test_what_is_copied_is_there_and_sent_and_little_else() -> None:
    for source in copied():
        files = [file for file in tracked() if file == source or file.startswith(f"{source}/")]
        assert files, source
        assert not [file for file in files if ignored(file)], source
    sent = [file for file in tracked() if not ignored(file)]
    assert [file for file in sent if file not in copied() and not file.startswith("kdnb/")] == []
    assert ignored("kdnb/train/__pycache__/loop.cpython-312.pyc") and ignored("runs/digits/teacher-s0/spec.json")


def test_docker_and_podman_ignore_the_same() -> None:
    assert (ROOT / ".dockerignore").read_text() == (ROOT / ".containerignore").read_text()


def test_the_base_is_a_short_name_with_a_python_of_ours() -> None:
    ((base,),) = words("FROM")
    found = re.fullmatch(r"python:(\d+\.\d+)-slim", base)
    assert found and f"{found[1]}.0" in SpecifierSet(PROJECT["requires-python"])


def test_the_environment_is_the_locks_by_the_projects_own_target() -> None:
    """The Makefile's command in the image's words: the lock as constraint, and the extras of a training job."""
    (given,) = re.findall(
        r"make (environment .*?) &&", " ".join(text for name, text in instructions() if name == "RUN")
    )
    plan = subprocess.run(
        ["make", "--dry-run", *shlex.split(given)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    (install,) = [line for line in plan.stdout.splitlines() if "install" in line]
    assert install.startswith("VIRTUAL_ENV=/opt/venv uv pip install")
    assert "--constraint requirements.txt" in install
    (extras,) = re.findall(r"\.\[(.*?)\]", install)
    assert {"notebooks", "workflow", "cluster"} == set(extras.split(",")) <= PROJECT["optional-dependencies"].keys()


def test_what_the_build_of_kdnb_reads_is_copied_before() -> None:
    names = [name for name, _ in instructions()]
    before = instructions()[: names.index("RUN", names.index("COPY"))]
    there = {source for name, given in before if name == "COPY" for source in given.split()[:-1]}
    assert {PROJECT["readme"], *PROJECT["license-files"], "pyproject.toml", "requirements.txt", "Makefile"} <= there
    assert "kdnb/__init__.py" in there  # whose version it is


def test_processes_are_not_roots_and_find_the_environment() -> None:
    ((user,),) = words("USER")
    assert user.isdecimal() and int(user) > 0
    assert any(f"--uid {user} " in given for name, given in instructions() if name == "RUN")
    assert "PATH=/opt/venv/bin:$PATH" in words("ENV")[0]
    assert words("WORKDIR")[-1] == ["/workdir"]  # where the plugin has every pod work
