"""Dagster's own daemons over our definitions: a real instance on disk, a real code server, and iterations on demand.

Belongs here: instance, workspace, one iteration of scheduler, queue and monitoring, the moment they believe it is.
Must not: assertions, steps of a night.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import yaml
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import GrpcServerTarget, ModuleTarget
from dagster._daemon.monitoring.concurrency import execute_concurrency_slots_iteration
from dagster._daemon.monitoring.run_monitoring import execute_run_monitoring_iteration
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster._grpc.server import GrpcServerProcess
from dagster._scheduler.scheduler import launch_scheduled_runs

from tests.pipeline.harness import ROOT

LOG = logging.getLogger("test.daemon")
BEIJING = ZoneInfo("Asia/Shanghai")
QUIET = {"DAGSTER_DISABLE_TELEMETRY": "1"}


def at(day: str, clock: str = "01:31") -> datetime:
    """A moment in county time."""
    return datetime.fromisoformat(f"{day}T{clock}:00").replace(tzinfo=BEIJING).astimezone(UTC)


def configure(folder: Path, **changes: dict) -> Path:
    """A Dagster home with the shipped settings; `changes` replace keys of a top-level part."""
    folder.mkdir(parents=True, exist_ok=True)
    shipped = yaml.safe_load((ROOT / "dagster.yaml").read_text("utf-8"))
    for name, values in changes.items():
        shipped[name] = {**shipped.get(name, {}), **values}
    (folder / "dagster.yaml").write_text(yaml.safe_dump(shipped), "utf-8")
    return folder


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """The environment that code servers inherit."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class Daemons:
    """One daemon process's view: its instance and its code server."""

    def __init__(self, instance: dg.DagsterInstance, workspace: WorkspaceProcessContext) -> None:
        self.instance, self.workspace = instance, workspace

    def tick(self, moment: datetime) -> None:
        """One iteration of the scheduler that believes it is `moment`."""
        found = launch_scheduled_runs(self.workspace, LOG, moment, {}, max_catchup_runs=14, max_tick_retries=3)
        errors = [one for one in found if one is not None and type(one).__name__ == "SerializableErrorInfo"]
        assert not errors, errors

    def dequeue(self) -> None:
        """One iteration of the queue: what may start is started."""
        list(QueuedRunCoordinatorDaemon(interval_seconds=5).run_iteration(self.workspace))

    def start(self, run: dg.DagsterRun) -> None:
        """Hand a run to the launcher, as the queue does when it is its turn."""
        self.instance.launch_run(run.run_id, self.workspace.create_request_context())

    def monitor(self) -> None:
        """One iteration of run monitoring and of the concurrency slots."""
        list(execute_run_monitoring_iteration(self.workspace, LOG))
        list(execute_concurrency_slots_iteration(self.workspace, LOG))

    def nights(self) -> list[str]:
        """Partitions of the nightly runs, in the order in which they were asked for."""
        runs = self.instance.get_runs(dg.RunsFilter(job_name="nightly"))
        return [run.tags["dagster/partition"] for run in reversed(runs)]


@contextmanager
def code_server(
    folder: Path, env: dict[str, str], module: str = "zz_pipeline.definitions"
) -> Iterator[GrpcServerTarget]:
    """A code server for many daemons: each of its own would load Dagster and the definitions anew, seconds of processor time."""
    what = LoadableTargetOrigin(executable_path=sys.executable, module_name=module, working_directory=str(ROOT))
    with environment(env | QUIET), dg.DagsterInstance.from_config(str(folder)) as instance:
        made = GrpcServerProcess(
            instance.get_ref(), location_name="zz", loadable_target_origin=what, startup_timeout=60, wait_on_exit=True
        )
        with made as server:
            yield GrpcServerTarget(host="localhost", port=server.port, socket=server.socket, location_name="zz")


@contextmanager
def daemons(folder: Path, env: dict[str, str], server: GrpcServerTarget | None = None) -> Iterator[Daemons]:
    """Daemons over the Dagster home `folder`; a code server that was not given has ended when the block ends."""
    target = server or ModuleTarget("zz_pipeline.definitions", None, str(ROOT), "zz")
    with (
        environment(env | QUIET),
        dg.DagsterInstance.from_config(str(folder)) as instance,
        WorkspaceProcessContext(instance, target) as workspace,
    ):
        yield Daemons(instance, workspace)


def wipe(folder: Path) -> None:
    """Dagster's storage is lost; its settings are not."""
    for path in folder.iterdir():
        if path.name != "dagster.yaml":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
