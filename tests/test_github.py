"""The workflows, read: they run what a person can call, ask for nothing hidden, and are never cut off half way."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))


def jobs(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())["jobs"]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_workflow_runs_what_a_person_can_call(path: Path) -> None:
    for name, job in jobs(path).items():
        for command in [step["run"] for step in job["steps"] if "run" in step]:
            program, *words = command.split()
            assert "\n" not in command and not set(command) & set("|&;$"), f"{name}: more than one command: {command}"
            if program == "make":
                assert set(words) <= TARGETS, f"{name}: {command}"
            else:
                assert (ROOT / program).exists() or words == ["--version"], f"{name}: {command}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_workflow_asks_for_nothing_that_a_fork_lacks(path: Path) -> None:
    """No variable or secret to set; actions are named by commit, so that nobody can put others in their place."""
    text = path.read_text()
    assert not re.findall(r"\b(vars|secrets)\.", text)
    actions = re.findall(r"uses: (\S+)(.*)", text)
    assert actions and all(re.search(r"@[0-9a-f]{40}$", name) and re.match(r" # v\d", said) for name, said in actions)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_workflow_installs_torch_without_cuda(path: Path) -> None:
    asked = yaml.safe_load(path.read_text())
    assert asked["env"] == {"PIP": "uv pip", "UV_TORCH_BACKEND": "cpu"}
    for name, job in asked["jobs"].items():
        runs = any("run" in step for step in job["steps"])
        installer = "mamba-org/setup-micromamba@" if name == "binder" else "astral-sh/setup-uv@"  # conda's is another
        assert runs == any(step.get("uses", "").startswith(installer) for step in job["steps"]), name


def test_a_deployment_that_began_is_finished() -> None:
    book = yaml.safe_load((ROOT / ".github" / "workflows" / "book.yml").read_text())
    assert "concurrency" not in book  # of the whole workflow: it would take the deployment along
    assert book["jobs"]["deploy"]["concurrency"] == {"group": "pages", "cancel-in-progress": False}


def test_links_are_checked_alike_by_hand_and_every_week() -> None:
    (by_hand,) = re.findall(r"^\tlychee (.*)$", MAKEFILE, re.MULTILINE)
    steps = jobs(ROOT / ".github" / "workflows" / "weekly.yml")["links"]["steps"]
    assert [step["with"]["args"] for step in steps if "lychee" in step.get("uses", "")] == [by_hand]


def test_make_alone_lists_every_target() -> None:
    (all_targets,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert re.search(r"^([a-z]+):", MAKEFILE, re.MULTILINE)[1] == "help"  # type: ignore[index]
    assert set(all_targets.split()) == TARGETS
