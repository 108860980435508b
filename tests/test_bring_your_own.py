"""The page 'Bring your own', walked through in a clone: its files where it says, its study by its own configuration."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from kdnb import paths
from kdnb.runs import find

ROOT = paths.root()
PAGE = (ROOT / "book" / "bring-your-own.md").read_text()


def block(section: str, kind: str) -> str:
    """The last block of a kind in a section of the page."""
    found: list[str] = re.findall(rf"```{kind}\n(.*?)```", PAGE.split(f"## {section}\n")[1].split("\n## ")[0], re.S)
    return found[-1]


def pictures(folder: Path) -> None:
    """Flat and upright stripes in grey, 16 x 16, forty of a class to learn from."""
    random = np.random.RandomState(0)
    for part, count in (("train", 40), ("test", 10)):
        for name in ("flat", "upright"):
            (folder / part / name).mkdir(parents=True)
            for i in range(count):
                grey = np.broadcast_to(random.randint(0, 256, (16, 1), dtype=np.uint8), (16, 16))
                Image.fromarray(np.ascontiguousarray(grey if name == "flat" else grey.T)).save(
                    folder / part / name / f"{i}.png"
                )


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What of a clone trains, with the page's files in it; its study a sixtieth as long."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("kdnb", "notebooks", "config", "book"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "_config.yml", "_toc.yml"):
        shutil.copy(ROOT / name, folder)
    (folder / "my_networks.py").write_text(block("Your own networks", "python"))
    (folder / "kdnb" / "methods" / "direction.py").write_text(block("Your own method", "python"))
    study = block("The whole study of it", "yaml")
    assert "epochs: 60" in study and "temperatures: [1, 4, 10]" in study
    (folder / "config" / "mine.yaml").write_text(study.replace("epochs: 60", "epochs: 1").replace("[1, 4, 10]", "[4]"))
    pictures(folder / "my-pictures")
    return folder


def call(clone: Path, *words: str) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("KDNB_")}
    environment |= {"PYTHONPATH": str(clone), "OMP_NUM_THREADS": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(words, cwd=clone, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def kdnb(clone: Path, *calls: list[str]) -> str:
    """The console script, as the page calls it: it does not put the current folder on the path, as ``-m`` does."""
    code = (
        "import json, sys; sys.path.remove('') if '' in sys.path else None; from kdnb.__main__ import main; "
        "sys.exit(any([main(words) for words in json.loads(sys.argv[1])]))"
    )
    return call(clone, sys.executable, "-c", code, json.dumps(calls))


def test_the_page_says_what_it_runs() -> None:
    for words in ("kdnb plan config/mine.yaml", "make study PROFILE=mine", "kdnb status mine"):
        assert words in block("The whole study of it", "bash")
    for file in ("my_networks.py", "kdnb/methods/direction.py", "config/mine.yaml"):
        assert f"`{file}`" in PAGE


def test_planned_trained_and_watched(clone: Path) -> None:
    """Pictures, networks, method and grid of one's own: a teacher as the workflow calls it, then a group's call.

    It trains the method at another weight as well, which the plan does not know.
    """
    planned = kdnb(clone, ["plan", "config/mine.yaml"])
    assert re.search(r"together +4 +8 ", planned) and "* estimate: scaled by arithmetic from" in planned
    words = ["--configfile", "config/mine.yaml", "--cores", "2", "--nolock"]
    call(clone, sys.executable, "-m", "snakemake", *words, f"{clone}/runs/mine/digits/teacher-s0/finished")
    study = yaml.safe_load((clone / "config" / "mine.yaml").read_text())
    given = {**study["common"], **study["students"]["first"], "output_dir": "runs/mine/digits"}
    given["methods"] = [*given["methods"], "direction:weight=2"]
    options = [[f"--{name.replace('_', '-')}", *map(str, as_list(value))] for name, value in given.items()]
    assert "5 of 8 runs done; 3 missing" in kdnb(clone, ["students", *sum(options, [])], ["status", "mine"])
    runs = find(clone / "runs" / "mine" / "digits")
    assert {run.spec.method for run in runs} == {"normal", "kd", "direction"} and len(runs) == 6
    one, two = (run.history for run in runs if run.spec.method == "direction")
    assert {"loss_ce", "loss_direction", "pull_direction", "mu_raw"} <= set(one)
    assert one["pull_direction"].any() and not one.equals(two)
    for run in runs:
        kind = "deep" if run.spec.role == "teacher" else "shallow"
        assert re.fullmatch(rf"my_networks:{kind}@[0-9a-f]{{12}}", run.spec.model) and run.spec.dataset == "folder"


def as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def test_one_call_takes_own_networks(clone: Path) -> None:
    """With the parameters that the page gives to papermill, on the command line."""
    asked = block("Your own networks", "bash").replace("\\\n", " ").split()
    options = [f"--{name.replace('_', '-')}={value}" for _, name, value in zip(*[iter(asked[3:])] * 3, strict=True)]
    assert asked[0] == "papermill" and len(options) == 3
    little = ["--epochs=1", "--limit=64", "--methods=kd", "--temperatures=4", "--bystander-seed=None"]
    kdnb(clone, ["students", *options, *little])
    assert {run.spec.model.partition("@")[0] for run in find(clone / "trial")} == {
        "my_networks:deep",
        "my_networks:shallow",
    }
