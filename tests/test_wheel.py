"""The package as others install it: from a wheel, with no repository in sight."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kdnb import __version__, paths


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheel is unpacked by pip; it comes before this repository on the path."""
    made, target = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-index"]
    build = [*pip, "wheel", *offline, "--no-build-isolation", "--wheel-dir", str(made), str(paths.root())]
    subprocess.run(build, check=True)
    (wheel,) = made.iterdir()
    subprocess.run([*pip, "install", *offline, "--target", str(target), str(wheel)], check=True)
    return target


def call(site: Path, folder: Path, *words: str) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("KDNB_")}
    environment |= {"PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheels_own_command_tells_its_version(site: Path, tmp_path: Path) -> None:
    where = call(site, tmp_path, sys.executable, "-c", "import kdnb; print(kdnb.__file__)")
    assert where.startswith(str(site))
    assert call(site, tmp_path, sys.executable, str(site / "bin" / "kdnb"), "--version") == f"kdnb {__version__}\n"


def test_it_trains_into_the_folder_it_is_called_from(site: Path, tmp_path: Path) -> None:
    asked = "students --methods kd --temperatures 4 --epochs 1 --limit 64 --teacher-model resnet8 --bystander-seed None"
    said = call(site, tmp_path, sys.executable, "-m", "kdnb", *asked.split())
    made = sorted(path.name for path in (tmp_path / "runs" / "digits").glob("*/finished"))
    assert len(made) == 2 and str(tmp_path / "runs" / "digits" / "kd-T4") in said


def test_scripts_of_the_pages_come_along(site: Path, tmp_path: Path) -> None:
    code = "from kdnb.book.drawing import script; print(all(map(script, ('stepper.js', 'explorer.js', 'page.js'))))"
    assert call(site, tmp_path, sys.executable, "-c", code) == "True\n"
