"""Runs that must not go on: Dagster's launcher never asks again for one whose process is gone, and starts twins of a night.

Belongs here: asking the code server that started a run whether it still has it; ending a run whose code server is gone;
not starting a night that another daemon asked for at the same moment.
Must not: starting a run again, anything of a night.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._core.storage.tags import GRPC_INFO_TAG, RUN_KEY_TAG, SCHEDULE_NAME_TAG
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult, GetCurrentRunsResult
from dagster._serdes import ConfigurableClassData, deserialize_value

# A code server that is busy loading may miss one look; two looks in a row (half a minute apart) it may not.
LOOKS = 2
WATCH = "end-with-parent"
_UNKNOWN_QUESTION = "UNIMPLEMENTED"  # gRPC's status in Dagster's words


class WatchedRunLauncher(DefaultRunLauncher):
    """Dagster's default launcher, whose runs are looked after by run monitoring (dagster.yaml `run_launcher`)."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(inst_data)
        self._missed: dict[str, int] = {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> WatchedRunLauncher:
        """As Dagster asks for it."""
        return cls(inst_data=inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start the run, unless an older one stands for the same tick: two daemons both look before either writes."""
        run = context.dagster_run
        older = _twin(self._instance, run)
        if older is None:
            super().launch_run(context)
            return
        said = f"这一夜已由另一个守护进程建立了运行 {older}，本运行未启动；不需要处理。请只保留一个 dagster-daemon。"
        self._instance.report_run_canceled(run, message=said)

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Run monitoring asks `check_run_worker_health` of every run that is STARTED."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """RUNNING while the code server that started the run says that it has it."""
        there = _has(run)
        if there:
            self._missed.pop(run.run_id, None)
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        missed = self._missed[run.run_id] = self._missed.get(run.run_id, 0) + 1
        if missed < LOOKS:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "代码服务暂未应答，稍后再查。")
        self._missed.pop(run.run_id, None)
        said = "代码服务中已没有这个运行" if there is False else "启动它的代码服务已不在"
        return CheckRunHealthResult(
            WorkerStatus.FAILED,
            f"运行进程已中断（{said}）。已写入业务库的不受影响；重新运行当日即可续做，不会重复报送。",
        )


def _twin(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str | None:
    """The oldest run of the same schedule's request if it is not this one; a repeated run is nobody's twin."""
    if RUN_KEY_TAG not in run.tags or run.parent_run_id is not None:
        return None
    same = {tag: run.tags[tag] for tag in (RUN_KEY_TAG, SCHEDULE_NAME_TAG) if tag in run.tags}
    oldest = instance.get_run_records(dg.RunsFilter(job_name=run.job_name, tags=same), limit=1, ascending=True)
    found = oldest[0].dagster_run.run_id
    return None if found == run.run_id else found


def _has(run: dg.DagsterRun) -> bool | None:
    """Whether the code server still has the run; None if it does not answer."""
    info = json.loads(run.tags.get(GRPC_INFO_TAG, "{}"))
    if not info:
        return None
    client = DagsterGrpcClient(
        port=info.get("port"),
        socket=info.get("socket"),
        host=info.get("host"),
        use_ssl=bool(info.get("use_ssl", False)),
    )
    try:
        found = deserialize_value(client.get_current_runs(), GetCurrentRunsResult)
        return run.run_id in found.current_runs
    except Exception as error:  # whatever grpc raises: it did not answer, or it does not know the question
        return _has_behind(client, run) if _UNKNOWN_QUESTION in str(error) else None


def _has_behind(client: DagsterGrpcClient, run: dg.DagsterRun) -> bool | None:
    """The same of a server behind `dagster code-server start` (and so `dagster dev`), which passes only this question on.

    Seen: without it every run longer than two looks was ended as failed and started again beside itself.
    """
    try:
        asked = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id))
        return deserialize_value(asked, CanCancelExecutionResult).can_cancel
    except Exception:  # as above
        return None


def end_with_parent() -> None:
    """End this run's process when the code server that started it has gone: nobody could stop it any more.

    By the pipe between the two and not by PR_SET_PDEATHSIG: that fires when the parent's *thread* ends, which a server's may.
    """
    parent = multiprocessing.parent_process()
    if parent is None or any(thread.name == WATCH for thread in threading.enumerate()):
        return  # not a run of a code server, or watched already

    def wait() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, name=WATCH, daemon=True).start()
