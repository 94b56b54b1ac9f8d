"""Delivering one platform: its lanes in a small pool, one writer each; what one lane meets does not touch the others.

Belongs here: which lanes, the identity of the platform, the pool, the stop switch, the summary.
Must not: the protocol of a lane (that is `worker`), SQL on rows' states, a platform's contract.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import case, func, select
from sqlalchemy.exc import SQLAlchemyError

from zz_pipeline import restored
from zz_pipeline.delivery.claim import Desk
from zz_pipeline.delivery.client import Client, check_identity
from zz_pipeline.delivery.lanes import LaneBusy, take
from zz_pipeline.delivery.protocol import Clock, State
from zz_pipeline.delivery.states import OUT
from zz_pipeline.delivery.worker import LaneResult, Watch, Worker
from zz_pipeline.errors import ClockWrong, ConfigError, DeliveryError, FenceLost, LedgerError, WrongPlatform, ZzError
from zz_pipeline.ledger import audit
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.schema import outbox, switch
from zz_pipeline.platforms import registry
from zz_pipeline.settings import PlatformSpec, Settings
from zz_pipeline.standard.results import FollowUps

log = logging.getLogger("zz.delivery")

Progress = Callable[[LaneResult], None]
HEALTH_SECONDS = 2.0  # that a platform is away is shared by all lanes of a run for so long; that it is there, never


@dataclass(slots=True)
class DeliveryResult:
    """What a run did on one platform. `left`: rows of its lanes by state, afterwards."""

    platform: str
    lanes: dict[str, LaneResult] = field(default_factory=dict)
    down: bool = False
    stopped: str = ""  # Chinese: why the whole platform was not served

    @property
    def requests(self) -> int:
        """Requests that went over the wire, health checks excepted."""
        return sum(lane.requests for lane in self.lanes.values())

    @property
    def alarms(self) -> list[str]:
        """Everything that a person must look at, the platform's trouble first."""
        return [*([self.stopped] if self.stopped else []), *(a for lane in self.lanes.values() for a in lane.alarms)]

    @property
    def moves(self) -> Counter[str]:
        """How many rows came into each state."""
        return sum((lane.moves for lane in self.lanes.values()), Counter())

    @property
    def left(self) -> Counter[str]:
        """How many rows of the lanes are now in each state that is not the end."""
        return sum((Counter(lane.left) for lane in self.lanes.values()), Counter())


@contextmanager
def _in_words() -> Iterator[None]:
    """A database error becomes a LedgerError: the driver's words may hold contents of records."""
    try:
        yield
    except SQLAlchemyError as error:
        raise LedgerError(
            f"业务数据库出错（{type(error).__name__}），已停止报送；请检查磁盘空间和数据库服务后重新运行。"
        ) from None


@_in_words()
def deliver(
    ledger: Ledger,
    settings: Settings,
    platform: str,
    *,
    clock: Clock = time.time,
    sleep: Callable[[float], None] = time.sleep,
    until: float | None = None,
    lanes: Sequence[str] | None = None,
    threads: int = 4,
    progress: Progress | None = None,
    without: Mapping[str, str] | None = None,
) -> DeliveryResult:
    """Deliver what is due on a platform, until nothing can be done before `until` (Unix seconds) or the night's wait.

    without: lanes that must wait, with the Chinese reason.
    Trouble of a platform or of a lane is in the result, never an exception; LedgerError and defects are raised."""
    run = _Run(ledger, settings, settings.platforms[platform], clock, sleep, until)
    result = DeliveryResult(platform)
    wanted = run.open_lanes() if lanes is None else list(lanes)
    waiting = {dept: why for dept, why in (without or {}).items() if dept in wanted}
    result.lanes |= {dept: LaneResult(dept, alarms=[why], stopped=why) for dept, why in waiting.items()}
    wanted = [dept for dept in wanted if dept not in waiting]
    if not wanted:
        return result
    result.stopped = run.halted() or run.down()
    if result.stopped:
        result.down = run.unreachable
        return _told(ledger, result)
    with ThreadPoolExecutor(max_workers=max(1, threads), thread_name_prefix=f"lane-{platform}") as pool:
        futures = {dept: pool.submit(run.lane, dept) for dept in wanted}
        try:
            for dept, future in futures.items():
                result.lanes[dept] = future.result()
                if progress is not None:
                    progress(result.lanes[dept])
        finally:
            run.halt.set()  # after an exception the other lanes stop before their next send
    result.down = run.unreachable
    result.stopped = run.trouble
    return _told(ledger, result)


def _told(ledger: Ledger, result: DeliveryResult) -> DeliveryResult:
    detail = {"moves": dict(result.moves), "requests": result.requests, "stopped": result.stopped, "down": result.down}
    with ledger.begin("delivered") as conn:
        audit.append(conn, "deliver", "DELIVERED", result.platform, not result.alarms, detail)
    return result


class _Run:
    """One run over a platform: what its lanes share."""

    def __init__(
        self, ledger: Ledger, settings: Settings, spec: PlatformSpec, clock: Clock,
        sleep: Callable[[float], None], until: float | None,
    ) -> None:  # fmt: skip
        self.ledger, self.settings, self.spec = ledger, settings, spec
        self.clock, self.sleep, self.until = clock, sleep, until
        self.adapter = registry.adapter(spec.adapter)
        self.follow_ups = FollowUps.load(settings.config_dir)
        self.halt = threading.Event()
        self.trouble, self.unreachable = "", False
        self.marked = 0
        self._health_at: float | None = None
        self._health = threading.Lock()

    def open_lanes(self) -> list[str]:
        """Departments that have something to send, to ask or to poll, the one with the earliest due date first."""
        states = (State.READY, *OUT)
        where = (outbox.c.platform == self.spec.name, outbox.c.state.in_(states))
        due = func.min(outbox.c.due)
        order = (case((due.is_(None), 1), else_=0), due, outbox.c.dept)
        with self.ledger.read() as conn:
            return list(
                conn.execute(select(outbox.c.dept).where(*where).group_by(outbox.c.dept).order_by(*order)).scalars()
            )

    def halted(self) -> str:
        """Why nothing more may be sent: the stop switch, the end of the time, the run's own end.

        It is asked before each send, when the intent is committed: the mark beside the ledger goes on to it.
        """
        with self.ledger.read() as conn:
            value = conn.execute(select(switch.c.value).where(switch.c.name == "stop")).scalar()
            last = audit.head(conn)
        if last is not None and last.n > self.marked:
            restored.note(self.settings.home, last.n, last.h)
            self.marked = last.n
        if is_on(value):
            return "报送总开关处于停止状态，未发送；恢复请执行 zz resume"
        if self.halt.is_set():
            return "本次运行正在结束，未报的记录留待下次"
        if self.until is not None and self.clock() >= self.until:
            return "已到本次运行的截止时间，未报的记录留待下次"
        return ""

    def down(self) -> str:
        """Ask /health, once for all lanes; the Chinese reason if the platform is away or is another one."""
        with self._health:
            now = self.clock()
            fresh = self._health_at is not None and 0.0 <= now - self._health_at < HEALTH_SECONDS
            if self.trouble and (fresh or not self.unreachable):
                return self.trouble
            self.trouble, self.unreachable = "", False
            try:
                check_identity(self.spec, self.settings.county.environment)
            except (WrongPlatform, ClockWrong) as error:
                self.trouble = str(error)
            except DeliveryError as error:
                self.trouble, self.unreachable = f"{self.spec.label} 连接不上，其记录保持待报，下次继续：{error}", True
            self._health_at = now
            return self.trouble

    def lane(self, dept: str) -> LaneResult:
        """Work one lane; trouble that concerns only this lane becomes its result."""
        try:
            if self.unreachable and (reason := self.down()):  # another lane found it away: no request into nothing
                return LaneResult(dept, stopped=reason)
            return self._work(dept)
        except (LaneBusy, FenceLost, DeliveryError, ConfigError) as error:
            return LaneResult(dept, alarms=[str(error)], stopped=str(error))
        except ZzError:
            self.halt.set()  # the ledger is not to be trusted: no lane goes on
            raise
        except SQLAlchemyError:
            self.halt.set()
            raise
        except Exception as error:
            log.error("lane %s/%s: %s at %s", self.spec.name, dept, type(error).__name__, _where(error))
            text = f"通道 {self.spec.name}/{dept} 因程序缺陷（{type(error).__name__}）中断，其他通道不受影响；已发出的批次下次先查询。请联系维护人员。"
            return LaneResult(dept, alarms=[text], stopped=text)

    def _work(self, dept: str) -> LaneResult:
        department = self.settings.departments.get(dept)
        if department is None:
            raise ConfigError(f"部门 {dept} 有待报的记录，但部门目录里没有它的配置；请补上 departments/{dept}.toml。")
        credential = self.settings.credential(self.spec.name, dept)
        entry, zone = self.settings.county.entry_platform, self.settings.zone
        desk = Desk(self.adapter, self.spec, department, entry, zone, self.follow_ups)
        watch = Watch(self.clock, self.sleep, self.until, self.halted, self.down)
        with take(self.ledger, self.settings.home / "locks", self.spec.name, dept, self.clock()) as lane:
            line = Client(self.spec, credential, department)
            try:
                worker = Worker(lane, desk, line, watch, self.settings.county.max_tries_per_night)
                line.spend = worker.meter.token
                return worker.run()
            finally:
                line.close()


def _where(error: Exception) -> str:
    """Module and line of the defect; the message is left out, it may hold contents of records."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"


def is_on(value: str | None) -> bool:
    """Whether a switch's value means on: anything but missing, empty, 0 and off."""
    return (value or "").strip().lower() not in ("", "0", "off")
