"""The tiny study in pods: Snakemake and its plugin as they are, on an API server that runs the pods as local processes.

One students' pod is killed at work, as by a node that goes away; the same call again finishes the study.
"""

import base64
import json
import os
import re
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import checkout
import kubernetes_validate
import pytest
import yaml
from checkout import NAMES, ROOT
from conftest import same
from containers import instructions
from pods import Cluster, Object

from kdnb.runs import Run

PROFILE = yaml.safe_load((ROOT / "profiles/kubernetes/config.yaml").read_text())


@dataclass
class Study:
    """What came of two calls: their exit status and words, the cluster that they spoke to, what a third would do."""

    folder: Path
    cluster: Cluster
    status: tuple[int, int]
    said: tuple[str, str]
    plan: str

    @property
    def runs(self) -> Path:
        return self.folder / "runs" / "digits"


def wheel(folder: Path) -> None:
    """The installed storage plugin as the wheel that it came as: what the image holds in /opt/wheels."""
    plugin = distribution("snakemake-storage-plugin-s3")
    folder.mkdir()
    with zipfile.ZipFile(folder / f"snakemake_storage_plugin_s3-{plugin.version}-py3-none-any.whl", "w") as file:
        for part in plugin.files or []:
            if part.suffix != ".pyc":
                file.write(str(plugin.locate_file(part)), str(part))


def image(folder: Path) -> dict[str, str]:
    """The environment that Containerfile gives its processes, with its folders' places on this machine.

    And the kernels that OpenBLAS is told to take here, if it is: others round otherwise, as on another processor.
    """
    wheel(folder)
    given = dict(word.split("=", 1) for name, words in instructions() if name == "ENV" for word in words.split())
    places = {
        "/opt/wheels": str(folder),
        "/opt/venv/bin": str(Path(sys.executable).parent),
        "$PATH": os.environ["PATH"],
    }
    for place, here in places.items():
        given = {name: value.replace(place, here) for name, value in given.items()}
    return given | {name: value for name, value in os.environ.items() if name.startswith("OPENBLAS_")}


def call(folder: Path, cluster: Cluster, url: str, *options: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "snakemake", *options, "--workflow-profile", "profiles/kubernetes"]
    words += ["--configfile", "config/tiny.yaml", "--seconds-between-status-checks", "1"]
    environment = {**checkout.environment(url), "KUBECONFIG": str(cluster.kubeconfig)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(words, cwd=folder, env=environment, text=True, **pipes)  # type: ignore[call-overload]


def kill_students(cluster: Cluster, process: subprocess.Popen[str]) -> None:
    """Wait until a pod is at work on a student, and kill it."""
    begun = cluster.volume("kdnb-runs") / "digits" / NAMES[0] / "spec.json"
    while process.poll() is None and not begun.exists():
        time.sleep(0.02)
    for pod in cluster.pods.values():
        if pod.process.poll() is None:
            pod.kill()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("kubernetes")
    cluster = Cluster(folder / "cluster", image(folder / "wheels")).start()
    here = checkout.make(folder / "checkout", gpus_a_job=1)
    with checkout.storage() as url:
        try:
            first = call(here, cluster, url, "trained")
            kill_students(cluster, first)
            said = first.communicate()[0]
            again = call(here, cluster, url, "trained")
            said_again = again.communicate()[0]
            plan = call(here, cluster, url, "--dry-run").communicate()[0]
        finally:
            cluster.stop()
    return Study(here, cluster, (first.wait(), again.wait()), (said, said_again), plan)


def jobs(tiny: Study) -> list[Object]:
    return [{"apiVersion": "batch/v1", "kind": "Job", **manifest} for manifest in tiny.cluster.posted["jobs"]]


def container(manifest: Object) -> Object:
    (one,) = manifest["spec"]["template"]["spec"]["containers"]
    return one


def test_a_killed_pod_ends_the_call_and_the_same_call_goes_on(tiny: Study) -> None:
    assert tiny.status[0] != 0, tiny.said[0]
    logs = "\n".join(pod.log.read_text() for pod in tiny.cluster.pods.values())
    assert tiny.status[1] == 0, tiny.said[1] + logs
    assert [container(job)["args"][1].count("'teacher:seed=0'") for job in jobs(tiny)] == [1, 0, 0]


def test_runs_come_home_equal_to_local_ones(tiny: Study, tmp_path: Path) -> None:
    assert sorted(path.parent.name for path in tiny.runs.glob("*/finished")) == NAMES
    for name, run in checkout.trained_here(tmp_path).items():
        same(Run(tiny.runs / name), run)


def test_then_only_chapters_and_book_are_to_do(tiny: Study) -> None:
    planned = {line.split()[0] for line in tiny.plan.splitlines() if re.fullmatch(r"\w+ +\d+", line)}
    assert planned == {"chapter", "book", "all", "total"}, tiny.plan


def test_what_is_posted_fits_the_schema(tiny: Study) -> None:
    secrets = [{"apiVersion": "v1", "kind": "Secret", **manifest} for manifest in tiny.cluster.posted["secrets"]]
    for manifest in (*jobs(tiny), *secrets):
        assert manifest.pop("path").split("/")[-2] == PROFILE["kubernetes-namespace"]
        kubernetes_validate.validate(manifest, "1.37", strict=True)


def test_pods_are_as_the_profile_says(tiny: Study) -> None:
    claims = dict(claim.split(":") for claim in PROFILE["kubernetes-persistent-volumes"])
    for manifest in jobs(tiny):
        one = container(manifest)
        assert one["image"] == PROFILE["container-image"]
        mounts = {mount["name"]: mount["mountPath"] for mount in one["volumeMounts"]}
        assert mounts == {"workdir": "/workdir", **claims}
        limits, requests = one["resources"]["limits"], one["resources"]["requests"]
        # The API server refuses a GPU without a limit, or with another one than it is requested.
        assert limits["nvidia.com/gpu"] == requests["nvidia.com/gpu"] == "1"
        assert limits["memory"] == f"{PROFILE['default-resources']['mem_mb']}M"
        tolerated = manifest["spec"]["template"]["spec"]["tolerations"]
        assert [one["key"] for one in tolerated] == ["nvidia.com/gpu"]


def test_credentials_travel_as_a_secret_alone_and_it_goes(tiny: Study) -> None:
    posted = tiny.cluster.posted["secrets"]
    for manifest in posted:
        assert base64.b64decode(manifest["data"]["snakemake_storage_s3_secret_key"]) == b"a-secret-key"
        assert manifest["metadata"]["name"] in tiny.cluster.deleted
    secrets = {manifest["metadata"]["name"] for manifest in posted}
    for manifest in jobs(tiny):
        assert "a-secret-key" not in json.dumps(manifest)
        names = {one["name"]: one["valueFrom"]["secretKeyRef"]["name"] for one in container(manifest)["env"]}
        assert {"SNAKEMAKE_STORAGE_S3_ACCESS_KEY", "SNAKEMAKE_STORAGE_S3_SECRET_KEY"} <= names.keys()
        assert set(names.values()) <= secrets


def test_the_volumes_fit_the_schema_the_profile_and_the_image() -> None:
    manifests = list(yaml.safe_load_all((ROOT / "profiles/kubernetes/volumes.yaml").read_text()))
    for manifest in manifests:
        kubernetes_validate.validate(manifest, "1.37", strict=True)
    *claims, job = manifests
    mounted = [claim.split(":")[0] for claim in PROFILE["kubernetes-persistent-volumes"]]
    assert [claim["metadata"]["name"] for claim in claims] == mounted
    (user,) = [words for name, words in instructions() if name == "USER"]
    assert f"{user}:{user}" in container(job)["command"]
