"""A Kubernetes API server on loopback, as far as Snakemake's plugin speaks to one; its pods are local processes."""

import base64
import json
import os
import re
import signal
import subprocess
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

Object = dict[str, Any]


@dataclass
class Pod:
    """A job's only pod: its process, in a folder of its own that stands for the container's /workdir."""

    manifest: Object
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def name(self) -> str:
        return f"{self.manifest['metadata']['name']}-pod"

    @property
    def state(self) -> Object:
        """As the API tells a container's."""
        code = self.process.poll()
        return {"running": {}} if code is None else {"terminated": {"exitCode": code if code >= 0 else 128 - code}}

    def kill(self) -> None:
        """As a node that goes away would."""
        os.killpg(self.process.pid, signal.SIGKILL)


@dataclass
class Cluster:
    """What was asked of it, and its pods.

    ``environment``: the image's. ``folder``: where pods and the claims' volumes are. ``posted``: manifests, by kind.
    """

    folder: Path
    environment: dict[str, str]
    posted: dict[str, list[Object]] = field(default_factory=dict)
    pods: dict[str, Pod] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    secrets: dict[str, Object] = field(default_factory=dict)

    def start(self) -> "Cluster":
        """Listen; write a kubeconfig that leads here."""
        handler = type("Bound", (_Handler,), {"cluster": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        here = {"name": "here", "cluster": {"server": f"http://127.0.0.1:{self.server.server_port}"}}
        context = {"name": "here", "context": {"cluster": "here", "user": "me"}}
        content = {"apiVersion": "v1", "kind": "Config", "clusters": [here], "contexts": [context]}
        user = {"name": "me", "user": {"token": "anything"}}
        self.folder.mkdir(parents=True)
        self.kubeconfig.write_text(yaml.safe_dump({**content, "users": [user], "current-context": "here"}))
        return self

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    def stop(self) -> None:
        """Stop listening; end what still runs."""
        self.server.shutdown()
        self.server.server_close()
        for pod in self.pods.values():
            if pod.process.poll() is None:
                pod.kill()
            pod.process.wait()

    def volume(self, claim: str) -> Path:
        """Where a claim's files are."""
        place = self.folder / "volumes" / claim
        place.mkdir(parents=True, exist_ok=True)
        return place

    def run(self, manifest: Object) -> None:
        """Start a job's pod, as its manifest says: command, environment, volumes."""
        spec = manifest["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        name = manifest["metadata"]["name"]
        work = self.folder / "pods" / name
        work.mkdir(parents=True)
        claims = {one["name"]: one.get("persistentVolumeClaim", {}).get("claimName") for one in spec["volumes"]}
        for mount in container["volumeMounts"]:
            if claim := claims[mount["name"]]:
                place = work / Path(mount["mountPath"]).relative_to(container["workingDir"])
                place.symlink_to(self.volume(claim))
        environment = {one["name"]: self._value(one) for one in container["env"]}
        log = work.with_suffix(".log")
        with log.open("wb") as file:
            process = subprocess.Popen(
                [*container["command"], *container["args"]],
                cwd=work,
                env={**self.environment, "HOME": str(work), **environment},
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pods[name] = Pod(manifest, process, log)

    def _value(self, variable: Object) -> str:
        reference = variable["valueFrom"]["secretKeyRef"]
        return base64.b64decode(self.secrets[reference["name"]]["data"][reference["key"]]).decode()


class _Handler(BaseHTTPRequestHandler):
    cluster: Cluster

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        kind = self.path.split("/")[-1]
        self.cluster.posted.setdefault(kind, []).append({"path": self.path, **body})
        if kind == "secrets":
            self.cluster.secrets[body["metadata"]["name"]] = body
        elif kind == "jobs":
            self.cluster.run(body)
        self._answer(201, body)

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if found := re.search(r"/jobs/([^/]+)/status$", url.path):
            return self._job(found[1])
        if url.path.endswith("/pods"):
            (label,) = parse_qs(url.query)["labelSelector"]
            pod = self.cluster.pods.get(label.removeprefix("job-name="))
            return self._answer(200, {"kind": "PodList", "items": [self._pod(pod)] if pod else []})
        # What a real server says of a container that has not been started twice, whichever pod it is.
        self._answer(400, {"kind": "Status", "message": "previous terminated container not found", "code": 400})

    def do_DELETE(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        name = urlsplit(self.path).path.split("/")[-1]
        self.cluster.deleted.append(name)
        pod = next((one for job, one in self.cluster.pods.items() if name in (job, one.name)), None)
        if pod and pod.process.poll() is None:
            pod.kill()
        self._answer(200, {"kind": "Status", "status": "Success"})

    def _job(self, name: str) -> None:
        state = self.cluster.pods[name].state
        ended = state.get("terminated")
        status = {} if ended is None else {"failed": 1} if ended["exitCode"] else {"succeeded": 1}
        self._answer(200, {"kind": "Job", "metadata": {"name": name}, "status": status})

    def _pod(self, pod: Pod) -> Object:
        status = {
            "name": "snakemake",
            "image": "",
            "imageID": "",
            "ready": False,
            "restartCount": 0,
            "state": pod.state,
        }
        spec = pod.manifest["spec"]["template"]["spec"]
        return {
            "metadata": {"name": pod.name},
            "spec": spec,
            "status": {"containerStatuses": [{**status, "state": pod.state}]},
        }

    def _answer(self, code: int, content: Object) -> None:
        data = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
