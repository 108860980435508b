"""The repository's shell: the lock is current, pins what pyproject.toml asks for, and names no index of anybody's."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from kdnb import paths

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.txt").read_text()


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def lock() -> ModuleType:
    return tool("lock")


def lines(name: str) -> list[str]:
    return [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]


def pinned() -> list[Requirement]:
    return [Requirement(line) for line in lines("requirements.txt")]


def everything_asked() -> list[Requirement]:
    return [
        Requirement(line) for line in (*PROJECT["dependencies"], *sum(PROJECT["optional-dependencies"].values(), []))
    ]


def versions(name: str, python: str, platform: str = "linux") -> list[str]:
    place = {
        "python_full_version": f"{python}.1",
        "python_version": python,
        "sys_platform": platform,
        "os_name": "posix",
    }
    place["platform_machine"] = "arm64" if platform == "darwin" else "x86_64"
    here = [pin for pin in pinned() if pin.name == name and (pin.marker is None or pin.marker.evaluate(place))]
    return [str(pin.specifier).removeprefix("==") for pin in here]


def test_lock_is_current(lock: ModuleType) -> None:
    assert lock.recorded() == lock.fingerprint(), "requirements.txt is stale: run `python tools/lock.py`"


def test_lock_sees_a_changed_dependency(lock: ModuleType, tmp_path: Path) -> None:
    changed = tmp_path / "pyproject.toml"
    changed.write_text((ROOT / "pyproject.toml").read_text().replace('"tqdm>=4.66"', '"tqdm>=4.67"', 1))
    assert lock.fingerprint(changed) != lock.recorded()


@pytest.mark.parametrize("platform", ["linux", "darwin"])
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_every_dependency_is_pinned_once_within_its_bounds(python: str, platform: str) -> None:
    for requirement in everything_asked():
        (version,) = versions(canonicalize_name(requirement.name), python, platform)
        assert requirement.specifier.contains(version, prereleases=True), f"{requirement} but locked {version}"


@pytest.mark.parametrize(
    "name",
    ["torch", "torchvision", "jupyter", "jupyter-book", "ipywidgets", "plotly", "scikit-learn", "scipy", "papermill"],
)
def test_named_packages_stand_in_the_lock(name: str) -> None:
    assert versions(name, "3.11") and f"#   {name}==" in LOCK


def test_lock_is_everybodys() -> None:
    assert "://" not in LOCK and "--" not in LOCK and " @ " not in LOCK, "the lock names an index or a file"
    assert all("+" not in str(pin.specifier) for pin in pinned()), "a local build, such as +cpu, is one machine's"


def test_training_half_needs_no_notebook_package() -> None:
    heavy = {"jupyter", "plotly", "ipywidgets", "anywidget", "papermill", "ipython"}
    assert heavy.isdisjoint(Requirement(line).name for line in PROJECT["dependencies"])


def test_root_is_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KDNB_ROOT", raising=False)
    monkeypatch.chdir(ROOT / "tests")
    assert paths.root() == ROOT
    monkeypatch.chdir(tmp_path)
    assert paths.root() == ROOT  # the package lies in the repository
    (tmp_path / "kdnb").mkdir()
    (tmp_path / "_config.yml").touch()
    assert paths.root() == tmp_path


def test_root_obeys_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDNB_ROOT", str(tmp_path))
    assert paths.root() == tmp_path
    monkeypatch.setenv("KDNB_ROOT", str(tmp_path / "nowhere"))
    with pytest.raises(NotADirectoryError, match=r"nowhere.*name the repository's root or unset it"):
        paths.root()


def test_importing_the_package_loads_no_notebook_package() -> None:
    code = "import kdnb.paths, sys; assert not {'plotly', 'ipywidgets', 'IPython'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_vendored_scripts_are_the_pinned_ones() -> None:
    vendor = tool("vendor")
    assert vendor.SUMS.read_text() == vendor.sums(), "vendor/ was changed: run `python tools/vendor.py`"
    targets = {target for package in vendor.PACKAGES for target in package.members.values()}
    assert all((vendor.VENDOR / target).stat().st_size < 5_000_000 for target in targets)


def test_repository_is_named_in_one_place() -> None:
    """The book's configuration holds the address; what repeats it for others' machines says the same."""
    book = yaml.safe_load((ROOT / "_config.yml").read_text())
    url, site = book["repository"]["url"], book["html"]["baseurl"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["repository-code"] == url
    assert PROJECT["urls"] == {"Homepage": site, "Repository": url, "Issues": f"{url}/issues"}
    excluded = tomllib.loads((ROOT / ".github" / "lychee.toml").read_text())["exclude"]
    assert excluded == ["^" + re.escape(site)]
    assert f'"{url}"' in (ROOT / "tools" / "elsewhere.py").read_text()
    for name in ("Makefile", "Snakefile", ".ci/run"):
        assert url not in (ROOT / name).read_text(), name


def test_what_is_imported_is_declared() -> None:
    """Not only what happens to come along with something else."""
    declared = {canonicalize_name(requirement.name) for requirement in everything_asked()}
    of_pydantic = {"pydantic-core"}  # which pins it exactly
    known = packages_distributions()
    for file in [file for folder in ("kdnb", "tools", "tests") for file in (ROOT / folder).rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text())):
            names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in {name.split(".")[0] for name in names} - {"kdnb"}:
                providers = {canonicalize_name(each) for each in known.get(name, [])}
                assert not providers or providers & (declared | of_pydantic), f"{file} imports {name}: {providers}"


def test_colab_has_what_is_needed_or_installs_it() -> None:
    """Each bound is kept by Colab's own version, or named in the cell that prepares Colab."""
    colab = {pin.name: str(pin.specifier).removeprefix("==") for pin in map(Requirement, lines("tools/colab-pins.txt"))}
    cell = nbformat.read(ROOT / "notebooks" / "00_start.ipynb", as_version=4).cells[1].source
    installed = set(re.findall(r'"([a-z-]+>=[\d.]+)"', cell))
    of_notebooks = {*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["notebooks"]}
    assert installed <= of_notebooks
    for requirement in map(Requirement, sorted(of_notebooks - installed)):
        if requirement.name not in {"jupyter", "papermill"}:  # Colab is the one, and the other is for the command line
            assert requirement.specifier.contains(colab[requirement.name]), f"{requirement}, and Colab's is older"
    # Installed without what they want in turn, so that torch and numpy stay: then that must be named or there, too.
    for name in {Requirement(one).name for one in installed}:
        for wanted in map(Requirement, requires(name) or []):
            if not wanted.marker or wanted.marker.evaluate({"extra": ""}):
                there = {*colab, *cell.split(), "packaging", "typing-extensions"}  # Colab's pip and pydantic want these
                assert wanted.name in there, f"{name} wants {wanted}"


def test_a_second_study_is_refused_and_one_after_a_killed_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study, started = tool("study"), []
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "small.yaml").touch()
    (tmp_path / "profiles" / "local").mkdir(parents=True)
    (tmp_path / "profiles" / "local" / "config.yaml").touch()
    monkeypatch.setattr(study, "ROOT", tmp_path)
    monkeypatch.setattr(study, "snakemake", lambda *words: started.append(words) or 0)
    assert study.main("small") == 0 and len(started) == 1
    holding = "with FileLock(sys.argv[1]): print('held', flush=True); time.sleep(99)"
    code = f"import sys, time; from filelock import FileLock\n{holding}"
    command = [sys.executable, "-c", code, str(tmp_path / "build" / "study.lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout and other.stdout.readline() == "held\n"
        assert study.main("small") == 2 and len(started) == 1
        assert "a study is running here already; wait for it, or stop it first" in capsys.readouterr().err
        other.kill()
    assert study.main("small") == 0 and len(started) == 2
    assert study.main("small", "moon") == 2 and "unknown place 'moon'; known: local." in capsys.readouterr().err
    assert study.main("smal") == 2 and "Did you mean 'small'?" in capsys.readouterr().err


def test_a_study_that_fails_ends_with_the_book_of_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study, started = tool("study"), []
    for file in ("config/small.yaml", "profiles/slurm/config.yaml"):
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).touch()
    monkeypatch.setattr(study, "ROOT", tmp_path)
    monkeypatch.setattr(study, "snakemake", lambda *words: started.append(words) or 1)
    assert study.main("small", "slurm") == 1
    assert started == [("small", "slurm"), ("small", "slurm", "--config", "train=False")]
    assert "the same command goes on" in capsys.readouterr().out
