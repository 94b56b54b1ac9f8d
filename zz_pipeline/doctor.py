"""`zz doctor`: looks at configuration, secrets, ledger, sources and platforms, and says what to do.

Belongs here: findings. Must not: mending by itself, sending anything but health questions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import make_url

from zz_pipeline.delivery.client import Client, check_identity
from zz_pipeline.errors import ZzError
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.settings import Department, Settings, load_settings
from zz_pipeline.standard.codes import CodeBook
from zz_pipeline.standard.lists import Lists
from zz_pipeline.standard.workdays import WorkCalendar


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `text` says what is wrong and the remedy, or that it is fine."""

    what: str
    ok: bool
    text: str

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)


def examine() -> list[Finding]:
    """Everything `zz doctor` looks at; never raises for what it finds."""
    try:
        settings = load_settings()
    except ZzError as error:
        return [Finding("配置", False, str(error))]
    return [Finding("配置", True, f"{settings.config_dir}，{len(settings.departments)} 个部门"), *_findings(settings)]


def _findings(settings: Settings) -> Iterator[Finding]:
    yield _try("代码表", lambda: CodeBook.load(settings.config_dir))
    yield _try("名录", lambda: Lists.load(settings.lists))
    yield _try("工作日表", lambda: _year(settings))
    yield _try("业务数据库", lambda: Ledger(settings.ledger_url).migrate())
    for department in settings.departments.values():
        if department.source.kind != "none":
            yield _try(f"{department.short} 凭证", partial(_credentials, settings, department))
            yield _try(f"{department.short} 来源", partial(_source, settings, department))
    for name, spec in settings.platforms.items():
        yield _try(f"{spec.label} 地址", partial(_platform, settings, name))


def _try(what: str, look: Callable[[], object]) -> Finding:
    try:
        look()
    except ZzError as error:
        return Finding(what, False, str(error))
    except Exception as error:
        return Finding(what, False, f"检查时出错（{type(error).__name__}），请联系技术人员。")
    return Finding(what, True, "正常")


def _year(settings: Settings) -> None:
    calendar = WorkCalendar.load(settings.config_dir / "workdays.csv")
    calendar.due(datetime.now(settings.zone).date(), 0)


def _credentials(settings: Settings, department: Department) -> None:
    for platform in settings.platforms:
        settings.credential(platform, department.key)


def _source(settings: Settings, department: Department) -> None:
    from zz_pipeline.errors import SourceDown

    source = department.source
    if source.kind in ("workbook", "csv"):
        folder = settings.inbox / department.key
        if not folder.is_dir():
            raise SourceDown(f"交表文件夹 {folder} 不存在。请建立该文件夹并让部门把表放进去。")
    elif source.kind == "database":
        url = make_url(settings.expand(source.url))
        if url.get_backend_name() == "sqlite" and url.database:
            from pathlib import Path

            if not Path(url.database).exists():
                raise SourceDown(f"数据库文件 {url.database} 不存在。请核对 departments/{department.key}.toml 的 url。")


def _platform(settings: Settings, name: str) -> None:
    spec = settings.platforms[name]
    for department in settings.departments.values():
        if department.source.kind != "none":
            client = Client(spec, settings.credential(name, department.key), department)
            check_identity(client, settings.county.environment)
            return
