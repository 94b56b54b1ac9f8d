"""`zz doctor`: looks at configuration, secrets, ledger, sources and platforms, and says what to do.

Belongs here: findings, each with the file that it is about and the remedy.
Must not: mending by itself, sending anything but health questions, reading records (a source is asked for an empty window).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from zz_pipeline import host_check
from zz_pipeline.delivery.client import check_identity
from zz_pipeline.department_check import check_departments
from zz_pipeline.errors import ConfigError, SourceDown, ZzError
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.settings import Department, PlatformSpec, Settings, load_settings
from zz_pipeline.sources.api import read_api
from zz_pipeline.sources.base import Window
from zz_pipeline.sources.database import read_database
from zz_pipeline.standard.codes import CodeBook
from zz_pipeline.standard.publishing_periods import FILE as PERIODS
from zz_pipeline.standard.publishing_periods import Periods
from zz_pipeline.standard.results import FollowUps
from zz_pipeline.standard.workdays import WorkCalendar

FINE = "正常"
CREDIT = "credit"
SKEW = 60.0  # seconds; platforms refuse a signature that is 300 s off (contracts/gateway.md)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `text` says what is wrong, where and the remedy, or that it is fine."""

    what: str
    ok: bool
    text: str

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)


def examine(*, files_only: bool = False) -> list[Finding]:
    """Everything `zz doctor` looks at; never raises for what it finds. Nothing more can be seen without a configuration.

    files_only: nothing is connected to.
    """
    try:
        settings = load_settings()
    except ZzError as error:
        return [Finding("配置", False, str(error))]
    fine = Finding("配置", True, f"{settings.config_dir}，{len(settings.departments)} 个部门")
    return [fine, *_files(settings), *([] if files_only else _connections(settings))]


def _files(settings: Settings) -> Iterator[Finding]:
    config = settings.config_dir
    yield _try("代码表", f"{config}/codes", lambda: CodeBook.load(config))
    yield _try("处理结果对照", f"{config}/codes/检查结果处理.csv", lambda: FollowUps.load(config))
    yield _try("部门配置", f"{config}/departments", lambda: check_departments(settings, CodeBook.load(config)))
    yield _try("名录", f"{settings.lists}", partial(host_check.check_lists, settings))
    yield _try("工作日表", f"{config}/workdays.csv", lambda: _calendar(settings))
    transition = settings.county.publicity_transition
    yield _try("公示期限表", f"{config}/{PERIODS}", lambda: Periods.load(config, transition))
    yield from _around(settings)


def _around(settings: Settings) -> Iterator[Finding]:
    """What the texts already name with its place."""
    yield _try("本县区划", "county.toml", partial(host_check.check_region, settings))
    yield _try("部门来源不重复", "departments", partial(host_check.check_sources, settings))
    yield _try("凭证各归各部门", "secrets.toml", partial(host_check.check_identities, settings))
    yield _try("没有写错的名字", "环境变量与 secrets.toml", partial(host_check.check_names, settings))
    yield _try("文件权限", str(settings.home), partial(host_check.check_modes, settings))
    yield _try("磁盘", str(settings.home), partial(host_check.check_space, settings))
    yield _try("Dagster 设置", "DAGSTER_HOME", partial(host_check.check_dagster, settings))


def _connections(settings: Settings) -> Iterator[Finding]:
    config = settings.config_dir
    ledger = f"{config}/county.toml 的 ledger_url，或环境变量 ZZ_LEDGER_URL"
    yield _try("业务数据库", ledger, lambda: _ledger(settings))
    for key, department in settings.departments.items():
        if department.source.kind != "none":
            platforms = [*settings.platforms, *([CREDIT] if key == settings.county.credit_lead else [])]
            secrets = f"{settings.home}/secrets.toml，或环境变量 ZZ_SECRET_平台_{key}"
            source = f"{config}/departments/{key}.toml 的 [source]，或环境变量 ZZ_SOURCE_{key}"
            yield _try(f"{department.short} 凭证", secrets, partial(_credentials, settings, key, platforms))
            yield _try(f"{department.short} 来源", source, partial(_source, settings, department))
    for name, spec in {**settings.platforms, CREDIT: settings.credit}.items():
        where = f"{config}/platforms/{name}.toml 的 url，或环境变量 ZZ_URL_{name.upper()}"
        yield _try(f"{spec.label} 地址", where, partial(_address, settings, spec))


def _try(what: str, where: str, look: Callable[[], str | object]) -> Finding:
    """What `look` finds; a text that it returns is a remark."""
    try:
        remark = look()
    except ZzError as error:
        return Finding(what, False, f"{error}（见 {where}）")
    except Exception as error:  # a stranger's words may hold contents or secrets
        return Finding(what, False, f"检查时出错（{type(error).__name__}），请联系技术人员。（见 {where}）")
    return Finding(what, True, remark if isinstance(remark, str) else FINE)


def _calendar(settings: Settings) -> str:
    calendar = WorkCalendar.load(settings.config_dir / "workdays.csv")
    today = datetime.now(settings.zone).date()
    calendar.is_workday(today)
    return calendar.reminder(today) or FINE


def _ledger(settings: Settings) -> None:
    ledger = Ledger(settings.ledger_url)
    try:
        ledger.migrate()
    finally:
        ledger.close()


def _credentials(settings: Settings, department: str, platforms: list[str]) -> None:
    missing = [f"[{name}.{department}]" for name in platforms if f"{name}.{department}" not in settings.credentials]
    if missing:
        raise ConfigError(
            f"缺少 {'、'.join(missing)} 的凭证，该部门的记录会一直待报。"
            "请向平台运维单位领取，写入其 app_id 与 secret，并保持文件权限 600。"
        )
    for name in platforms:
        settings.credential(name, department)


def _source(settings: Settings, department: Department) -> None:
    if department.source.kind in ("workbook", "csv"):
        _folder(settings, department)
        return
    now = datetime.now(settings.zone).replace(tzinfo=None, microsecond=0)
    nothing = Window(now.date(), now, now)
    url = settings.expand(department.source.url)
    if department.source.kind == "database":
        read_database(department, url, nothing, settings.zone)
    else:
        read_api(department, url, nothing)


def _folder(settings: Settings, department: Department) -> None:
    declared = department.source.folder.replace("${inbox}", str(settings.inbox))
    folder = settings.expand(declared) if declared else str(settings.inbox / department.key)
    try:
        next(iter(Path(folder).iterdir()), None)
    except FileNotFoundError:
        raise SourceDown(f"交表文件夹 {folder} 不存在。请建立该文件夹（或挂上共享盘），并让部门把表放进去。") from None
    except OSError as error:
        raise SourceDown(
            f"交表文件夹 {folder} 打不开（{error.strerror}）。请检查它是不是文件夹、本程序有没有读取权限。"
        ) from None


def _address(settings: Settings, spec: PlatformSpec) -> None:
    skew = check_identity(spec, settings.county.environment)
    if skew is not None and abs(skew) > SKEW:
        way = "慢" if skew > 0 else "快"
        raise ConfigError(
            f"本机时钟比平台{way} {abs(skew):.0f} 秒；差到 300 秒平台就拒绝签名。请校准时钟（NTP）后再检查。"
        )
