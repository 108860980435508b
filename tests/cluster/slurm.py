"""Slurm itself on this machine: one controller, two nodes, on loopback and in a folder of the test's.

Nodes are daemons that differ in name and port (``slurmd -N``); of cores and memory they have what a training job of
profiles/slurm asks for, whatever the machine has, so that a node holds one job. Nothing of an installed Slurm's own
configuration is read or written, and everything that was started is gone at the end.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

import pytest

T = TypeVar("T")
DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch")
NODES = ("node1", "node2")
GENEROUS = 1800.0  # seconds until a test gives up; nothing is ever waited for by the clock
CONFIGURATION = """\
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthInfo=socket={folder}/munge.socket,cred_expire=10
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/finished-jobs.txt
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
KillWait=2
MinJobAge=3600
SchedulerParameters=sched_interval=1,batch_sched_delay=1
NodeName=node1 NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2 RealMemory=20000
NodeName=node2 NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2 RealMemory=20000
PartitionName=all Nodes=node1,node2 Default=YES MaxTime=INFINITE
"""


class Job(NamedTuple):
    """What the queue says of a job: rule is Snakemake's, restarts are Slurm's own."""

    number: str
    state: str
    node: str
    rule: str
    restarts: int


def until(what: str, found: Callable[[], T]) -> T:
    """What ``found`` finds once it is something; AssertionError where it stays nothing."""
    end = time.monotonic() + GENEROUS
    while time.monotonic() < end:
        if result := found():
            return result
        time.sleep(0.1)
    raise AssertionError(f"waited {GENEROUS:g} s for {what}")


class Slurm:
    """The cluster, while it runs; ``environment``: of whoever uses it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # In a job the plugin drops Slurm's variables before it calls srun; elsewhere the configuration is in /etc.
        (folder / "bin").mkdir()
        (folder / "bin" / "srun").write_text(
            f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {shutil.which("srun")} "$@"\n'
        )
        (folder / "bin" / "srun").chmod(0o755)
        self.environment = {
            **os.environ,
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        }
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Bring it up; AssertionError with the logs where a node does not come."""
        with ExitStack() as held:
            sockets = [held.enter_context(socket.socket()) for _ in range(3)]
            for one in sockets:
                one.bind(("127.0.0.1", 0))
            ports = [one.getsockname()[1] for one in sockets]
        (self.folder / "state").mkdir()
        (self.folder / "munge.key").write_bytes(os.urandom(1024))
        (self.folder / "munge.key").chmod(0o400)
        user = pwd.getpwuid(os.getuid()).pw_name
        (self.folder / "slurm.conf").write_text(CONFIGURATION.format(folder=self.folder, ports=ports, user=user))
        own = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        options = [f"--{option}={self.folder}/munge.{end}" for option, end in own.items()]
        self._daemon("munged", "munged", "--foreground", "--force", *options)
        until("munge", (self.folder / "munge.socket").exists)
        self._daemon("slurmctld", "slurmctld", "-D", "-i")
        for node in NODES:
            self.start_node(node)
        until("two idle nodes", lambda: self("sinfo", "-h", "-N", "-o", "%T").split() == ["idle"] * 2)

    def _daemon(self, name: str, *command: str) -> None:
        path = shutil.which(command[0], path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        assert path, command[0]
        with (self.folder / f"{name}.out").open("wb") as said:
            self.daemons[name] = subprocess.Popen([path, *command[1:]], env=self.environment, stdout=said, stderr=said)

    def __call__(self, *command: str) -> str:
        """Run one of Slurm's commands; what it says, nothing where it fails (the controller may just be busy)."""
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False).stdout

    def start_node(self, node: str) -> None:
        """Switch a node on."""
        self._daemon(node, "slurmd", "-D", "-N", node)

    def kill_node(self, node: str) -> None:
        """Pull its plug: the daemon and every process of its jobs, at once; then Slurm is told that it is down."""
        running = [job for job in self.jobs() if job.state == "RUNNING" and job.node == node]
        self.daemons[node].kill()
        self.daemons.pop(node).wait()
        for job in running:
            self.kill_job(job)
        self("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")

    def kill_job(self, job: Job) -> None:
        """``kill -9`` of every process of a job."""
        for process in self._processes(f"SLURM_JOB_ID={job.number}", f"slurmstepd: [{job.number}."):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def _processes(self, variable: str = "", title: str = "") -> list[int]:
        """Processes of this cluster, here of those with a variable or a title."""
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                environment = place.joinpath("environ").read_bytes().decode(errors="replace").split("\0")
                if f"SLURM_CONF={self.folder / 'slurm.conf'}" in environment and (
                    not variable or variable in environment or place.joinpath("cmdline").read_text().startswith(title)
                ):
                    found.append(int(place.name))
        return found

    def jobs(self) -> list[Job]:
        """All that were ever submitted, in order."""
        lines = self("squeue", "-h", "--states=all", "--sort=i", "-o", "%i|%T|%N|%k").splitlines()
        restarts = {
            line.split("JobId=")[1].split()[0]: int(line.split("Restarts=")[1].split()[0])
            for line in self("scontrol", "-o", "show", "jobs").splitlines()
            if "JobId=" in line
        }
        return [
            Job(number, state, node, rule.removeprefix("rule_"), restarts.get(number, 0))
            for number, state, node, rule in (line.split("|") for line in lines)
        ]

    def running(self, rule: str) -> Job:
        """The job of a rule, once it runs."""
        return until(
            f"a running {rule}",
            lambda: next((job for job in self.jobs() if job.state == "RUNNING" and job.rule.startswith(rule)), None),
        )

    def stop(self) -> None:
        """Whatever happened: no process stays."""
        self("scancel", "--state=PENDING", "--user", pwd.getpwuid(os.getuid()).pw_name)
        for daemon in reversed(self.daemons.values()):
            daemon.terminate()
        for daemon in self.daemons.values():
            with suppress(subprocess.TimeoutExpired):
                daemon.wait(20)
        for process in self._processes():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


@contextmanager
def started(folder: Path) -> Iterator[Slurm]:
    """A cluster in ``folder``; skips where there is no Slurm, except in continuous integration."""
    sbin = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    if lacking := [name for name in DAEMONS if shutil.which(name, path=sbin) is None]:
        assert not os.environ.get("CI"), f"{', '.join(lacking)} must be here: apt-get install slurm-wlm munge"
        pytest.skip(f"no {', '.join(lacking)} here (Debian: apt-get install slurm-wlm munge)")
    cluster = Slurm(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
