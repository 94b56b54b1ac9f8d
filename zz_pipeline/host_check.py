"""What can be wrong around the files: the machine, Dagster's own settings, names that nothing reads, one identity used twice.

Belongs here: looks that `zz doctor` takes at settings and folders, each ConfigError with place and remedy.
Must not: the form of configuration files (that is `settings`), departments' headings, connections.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import yaml

from zz_pipeline.credentials import Credential
from zz_pipeline.errors import ConfigError
from zz_pipeline.settings import Department, Settings
from zz_pipeline.standard.lists import Lists

INSTANCE = "dagster.yaml"
LAUNCHER = "WatchedRunLauncher"
EXCLUSIVE = {"key": "zz/exclusive", "limit": 1}
MIB = 2**20

# (place in dagster.yaml, is it right, what to do): what Dagster's own defaults would do to a night.
_Rule = tuple[str, Callable[[Any], bool], str]
DAGSTER: tuple[_Rule, ...] = (
    ("telemetry.enabled", lambda v: v is False, "遥测会向外部网站发送使用情况。请写 telemetry: {enabled: false}。"),
    (
        "concurrency.runs.tag_concurrency_limits",
        lambda v: EXCLUSIVE in (v or []),
        "没有限制夜间任务一次只跑一个，两夜会同时入库。请照样例加上 {key: zz/exclusive, limit: 1}。",
    ),
    (
        "run_retries.retry_on_asset_or_op_failure",
        lambda v: v is False,
        "步骤失败会被 Dagster 自动重跑，重试应由业务库安排。请写 false。",
    ),
    ("run_launcher.class", lambda v: v == LAUNCHER, f"被强行结束的运行会一直显示“运行中”。请写 {LAUNCHER}。"),
    ("run_monitoring.enabled", lambda v: v is True, "中断的运行不会被发现，名额不会归还。请写 true。"),
    (
        "python_logs.managed_python_loggers",
        lambda v: not v,
        "其他程序库的日志会进入事件库，可能带有记录内容。请写 []。",
    ),
)


def check_dagster(settings: Settings) -> str:
    """The instance's settings in `$DAGSTER_HOME`; a remark if there is none and this is a test setup."""
    if settings.dagster_home is None:
        if settings.county.environment == "production":
            raise ConfigError(
                "没有设置环境变量 DAGSTER_HOME，运行记录会在重启后丢失。请设为 Dagster 的目录，并放入样例 dagster.yaml。"
            )
        return "未设置 DAGSTER_HOME（试用环境可以不设）"
    path = settings.dagster_home / INSTANCE
    said = _yaml(path)
    for place, right, remedy in DAGSTER:
        if not right(_at(said, place)):
            raise ConfigError(f"{path} 的 {place}：{remedy}")
    return "正常"


def _yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"缺少 {path}，Dagster 会用自己的默认值（遥测打开）。请复制样例 dagster.yaml。") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise ConfigError(f"{path} 不是合格的 YAML 文件。请与样例 dagster.yaml 对照改正。") from None


def _at(value: Any, place: str) -> Any:
    for key in place.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def check_names(settings: Settings) -> None:
    """Environment variables and sections of secrets.toml that nothing reads: a misspelt name has no effect, silently."""
    if settings.strays:
        raise ConfigError(
            f"环境变量 {'、'.join(settings.strays)} 没有任何部分会读取，可能拼写有误。请对照 README 改正或删除。"
        )
    platforms = {*settings.platforms, "credit"}
    for place, credential in settings.credentials.items():
        if credential.platform not in platforms or credential.department not in settings.departments:
            raise ConfigError(
                f"{settings.home}/secrets.toml 的 [{place}] 不属于任何已配置的平台或部门，不会被使用。请改正平台名或部门 key。"
            )


def check_identities(settings: Settings) -> None:
    """One app_id stands for one department on a platform: used twice, a record would go out in another's name."""
    holders: dict[tuple[str, str], list[Credential]] = defaultdict(list)
    for credential in settings.credentials.values():
        holders[credential.platform, credential.app_id].append(credential)
    for (platform, _), found in sorted(holders.items()):
        if len(found) > 1:
            names = "、".join(f"[{platform}.{c.department}]" for c in found)
            raise ConfigError(
                f"{names} 用的是同一个 app_id，记录会以别的部门名义报送。请向平台运维单位核对，各部门用各自的凭证。"
            )


def check_sources(settings: Settings) -> None:
    """No two departments read the same place: every record of it would be entered twice, once in another's name."""
    owners: dict[tuple[str, ...], str] = {}
    for key, department in settings.departments.items():
        place = _place(settings, department)
        if place in owners and not department.owner_column:
            raise ConfigError(
                f"{settings.config_dir}/departments/{key}.toml 的 [source] 与 {owners[place]}.toml 指向同一处，"
                "同一批记录会以两个部门的名义报送。请改正其中一个，或用 owner_column 说明记录归谁。"
            )
        if place:
            owners[place] = key


def _place(settings: Settings, department: Department) -> tuple[str, ...]:
    source = department.source
    if source.kind in ("database", "http"):
        return settings.expand(source.url), source.table, source.query, source.path
    if source.kind == "none":
        return ()
    folder = settings.expand(source.folder.replace("${inbox}", str(settings.inbox)))
    return folder or str(settings.inbox / department.key), source.pattern


def check_lists(settings: Settings) -> None:
    """Every department with records has items and inspectors in the lists: without them all of its records come back."""
    lists = Lists.load(settings.lists)
    for name, what in (("items", "检查事项"), ("inspectors", "执法人员")):
        known = set(pc.unique(getattr(lists, name).column("dept").combine_chunks()).to_pylist())
        missing = [d.short for d in reporting(settings) if d.key not in known]
        if missing:
            raise ConfigError(
                f"{settings.lists / name}.csv 里没有{'、'.join(missing)}的{what}，该部门的记录会全部退回。请从名录库重新导出。"
            )


def reporting(settings: Settings) -> Iterator[Department]:
    """Departments that have a source."""
    return (d for d in settings.departments.values() if d.source.kind != "none")


def check_region(settings: Settings) -> None:
    """The county's own code is one of the regions."""
    path = settings.config_dir / "codes" / "regions.csv"
    known = {line.split(",", 1)[0] for line in path.read_text("utf-8-sig").splitlines()[1:]}
    if settings.county.code not in known:
        raise ConfigError(
            f"{settings.config_dir}/county.toml 的 code 是 {settings.county.code}，{path} 里没有这个区划。请改正。"
        )


def check_modes(settings: Settings) -> None:
    """State is nobody else's to read (archives hold personal data), configuration nobody else's to write."""
    home = settings.home
    if home.exists() and home.stat().st_mode & stat.S_IRWXO:
        raise ConfigError(f"状态目录 {home} 可被本机其他用户打开，里面有未脱敏的存档。请执行 chmod 700 {home}。")
    for path in (settings.config_dir, *sorted(settings.config_dir.rglob("*"))):
        if path.stat().st_mode & stat.S_IWOTH:
            raise ConfigError(f"{path} 可被任何用户改写，平台地址和对照表会被人篡改。请执行 chmod o-w {path}。")


def check_space(settings: Settings) -> None:
    """The state folder can be written and has room for a night."""
    home = settings.home
    there = next(path for path in (home, *home.parents) if path.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(f"状态目录 {home} 不能写入。请检查目录的所有者与权限。")
    free = shutil.disk_usage(there).free // MIB
    if free < settings.county.free_disk_mib:
        raise ConfigError(
            f"状态目录 {home} 所在磁盘只剩 {free} MiB，少于 county.toml 的 free_disk_mib（{settings.county.free_disk_mib}）。"
            "请清理或扩容；磁盘写满时夜间任务会停在报送之前。"
        )
