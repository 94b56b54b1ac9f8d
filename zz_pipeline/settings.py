"""Configuration files and environment → one frozen `Settings`.

Belongs here: the models of `config/`, reading them, secrets (never in a repr), and the only reading of the environment.
Must not: opening sources, databases or connections; any default for a fact of the domain.

Environment: ZZ_CONFIG (configuration folder), ZZ_HOME (state folder), ZZ_LEDGER_URL, ZZ_URL_<PLATFORM>,
ZZ_SOURCE_<DEPARTMENT> (a source's address), ZZ_SECRET_<PLATFORM>_<DEPARTMENT> ("app_id:secret"), ZZ_ALERTS_<NAME>;
DAGSTER_HOME is only looked at.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Literal, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from zz_pipeline.addresses import url_problem
from zz_pipeline.alerts.config import AlertSecrets, AlertSpec, addresses, read_secrets
from zz_pipeline.config_words import SAID
from zz_pipeline.credentials import Credential as Credential
from zz_pipeline.credentials import read_credentials
from zz_pipeline.errors import ConfigError

CHECKOUT = Path(__file__).resolve().parent.parent


_T = TypeVar("_T", bound="_Model")


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Limits(_Model):
    """`[limits]` of county.toml: from where on a check warns. A warning asks a person, it never returns a record.

    yearly_checks: of one enterprise by one department, without 个案检查 (国办发〔2024〕54号 has each authority publish its own).
    subjects_a_day: on site, by one certificate. volume_times: how many times the usual of that weekday, or its fraction.
    share_shift: by how much a code's share may move; *_from: fewer than so many records say nothing. weeks: looked back.
    """

    yearly_checks: int = Field(default=4, ge=1)
    subjects_a_day: int = Field(default=30, ge=1)
    volume_times: float = Field(default=4.0, gt=1)
    volume_from: int = Field(default=20, ge=1)
    share_shift: float = Field(default=0.5, gt=0, lt=1)
    share_from: int = Field(default=50, ge=1)
    weeks: int = Field(default=8, ge=3)


class County(_Model):
    """`county.toml`: the county, its rules of publicity and its limits."""

    code: str = Field(pattern=r"^\d{6}$")
    name: str
    office: str
    timezone: Literal["Asia/Shanghai"] = "Asia/Shanghai"  # the one legal time of China; partitions are its days
    environment: Literal["test", "production"] = "test"
    ledger_url: str = "sqlite:///${home}/ledger.db"
    inbox: str = "${home}/inbox"
    lists: str = "${home}/lists"
    credit_lead: str
    release_ratings: tuple[Literal["PUBLIC"], ...] = ()
    publicity_transition: Literal["shorter", "old", "new"] = "shorter"
    platforms: tuple[str, ...] = ("double_random", "internet_supervision", "publicity")
    entry_platform: str = "double_random"
    max_tries_per_night: int = 8
    lost_share_needs_person: float = 0.001
    empty_stop_from: int = 20
    empty_window_stop_from: int = 1000
    audit_keep_days: int = Field(default=400, ge=200)
    free_disk_mib: int = Field(default=1024, ge=0)
    limits: Limits = Field(default_factory=Limits)
    alerts: AlertSpec = Field(default_factory=AlertSpec)


class SourceSpec(_Model):
    """`[source]` of a department: where its results are and how they are read."""

    kind: Literal["database", "workbook", "csv", "http", "none"]
    url: str = ""
    query: str = ""
    table: str = ""
    changed_at: str = ""
    folder: str = ""
    pattern: str = "*"
    day_pattern: str = ""
    encoding: str = ""
    delimiter: str = ","
    sheet: str = ""
    header_contains: tuple[str, ...] = ()
    date_system: Literal["1900", "1904"] = "1900"
    fill_merged: bool = True
    path: str = ""
    page_size: int = 200
    paging: Literal["page", "cursor"] = "page"
    items_key: str = "items"
    total_key: str = "total"
    cursor_key: str = "next"
    whole: bool = False
    timeout_seconds: float = 30.0


class ColumnSpec(_Model):
    """How one standard field is found in a department's table; exactly one way is used.

    heading: the native heading. split: separators of a list cell. codes: name of a code map file of the department.
    constant: a fixed value the department has confirmed. headings: several columns that make one list.
    """

    heading: str = ""
    headings: tuple[str, ...] = ()
    constant: str = ""
    split: str = ""
    codes: str = ""
    decimals: bool = False


class Department(_Model):
    """`departments/<KEY>.toml`: one department, its identity, its source and its headings."""

    key: str = Field(pattern=r"^[A-Z]{2,8}$")
    name: str
    short: str
    aliases: tuple[str, ...] = ()
    uscc: str = Field(pattern=r"^[0-9A-HJ-NPQRTUWXY]{18}$")
    codes: tuple[str, ...] = ()
    alert_to: tuple[str, ...] = ()  # mail addresses that are told of this department's troubles
    source: SourceSpec
    columns: dict[str, ColumnSpec] = Field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    owner_column: str = ""
    void_column: str = ""
    void_values: tuple[str, ...] = ()
    county: str = "610124"  # region code of the county it reports with; that of county.toml, whatever its file says

    @field_validator("alert_to")
    @classmethod
    def _each_an_address(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return addresses(values)

    @property
    def names(self) -> frozenset[str]:
        """Every name by which a table may call this department."""
        return frozenset({self.name, self.short, *self.aliases})


class Capability(_Model):
    """What a platform can do; the lane's behaviour follows from this, not from its name (design 5)."""

    idempotent: Literal["key", "batch", "content", "none"]
    verdicts: Literal["record", "counts", "receipt"]
    query_by_key: int = Field(ge=1, le=1000)
    query_by_batch: bool
    list_by_time: bool = True
    versions: bool
    withdraw: bool = True
    public: bool = False  # what it accepts is open to anyone at once


class DueRule(_Model):
    """A statutory period in working days: of which kind of record, and from which day of the event on it holds."""

    kind: Literal["inspection", "rating"] = "inspection"
    since: date = Field(default=date.min, alias="from")
    days: int = Field(ge=0)


class PlatformSpec(_Model):
    """`platforms/<name>.toml`: one platform's address, limits, clocks and capability.

    adapter: a contract of `platforms/` or `package.module:Class`. publishing: name of the platform whose publishing rules
    (`standard.publishing`) hold here; empty: those of its own name.
    due_workdays: working days for inspections, or a list of {kind, from, days}; of a kind the newest rule that holds counts.
    """

    name: str
    label: str
    adapter: str
    publishing: str = ""
    url: str
    sign: Literal["HMAC-SM3", "HMAC-SHA256", "S2"]
    batch_records: int = Field(ge=1)
    batch_bytes: int = 4_194_304
    rate: float = 10.0
    burst: float = 20.0
    daily_records: int = 200_000
    connect_seconds: float = 5.0
    read_seconds: float = 30.0
    call_seconds: float = 60.0
    send_deadline_seconds: float = 5.0
    quiet_seconds: float = 900.0
    late_effect_seconds: float = 120.0
    poll_first_seconds: float = 2.0
    poll_max_seconds: float = 300.0
    night_wait_seconds: float = 600.0
    due_workdays: tuple[DueRule, ...]
    verify_tls: Literal[True] = True
    ca_file: str = ""
    capability: Capability

    @field_validator("due_workdays", mode="before")
    @classmethod
    def _one_number(cls, value: Any) -> Any:
        return [{"days": value}] if type(value) is int else value

    @field_validator("due_workdays")
    @classmethod
    def _each_day_one_rule(cls, rules: tuple[DueRule, ...]) -> tuple[DueRule, ...]:
        if len({(rule.kind, rule.since) for rule in rules}) < len(rules):
            raise ValueError("同一类记录有两条规则从同一天起算，请只保留一条")
        return rules

    @model_validator(mode="after")
    def _quiet_outlasts_late_effects(self) -> PlatformSpec:
        if self.quiet_seconds < self.late_effect_seconds:
            raise ValueError("quiet_seconds 短于 late_effect_seconds：迟到的请求还可能生效就重发，会重复入库，请调大")
        return self

    def due_days(self, kind: str, event: date) -> int:
        """Statutory working days for a record whose clock starts with that event; 0 = none."""
        fit = [rule for rule in self.due_workdays if rule.kind == kind and rule.since <= event]
        return max(fit, key=lambda rule: rule.since).days if fit else 0


class Settings(_Model):
    """Everything the pipeline knows before it starts. Frozen; safe to print."""

    config_dir: Path
    home: Path
    county: County
    departments: dict[str, Department]
    platforms: dict[str, PlatformSpec]
    credit: PlatformSpec
    credentials: dict[str, Credential] = Field(repr=False)
    alert_secrets: AlertSecrets = Field(default_factory=AlertSecrets, repr=False)
    dagster_home: Path | None = None
    strays: tuple[str, ...] = ()  # names of ZZ_ variables that nothing reads

    @property
    def zone(self) -> ZoneInfo:
        """The county's time zone."""
        return ZoneInfo(self.county.timezone)

    @property
    def ledger_url(self) -> str:
        """SQLAlchemy URL of the business database."""
        return self.expand(self.county.ledger_url)

    @property
    def inbox(self) -> Path:
        """Folder in which departments hand in files, one folder a department."""
        return Path(self.expand(self.county.inbox))

    @property
    def lists(self) -> Path:
        """Folder of the reference lists (items.csv, inspectors.csv, plans.csv, subjects.csv)."""
        return Path(self.expand(self.county.lists))

    def expand(self, text: str) -> str:
        """`${home}` and `${config}` in a configured text."""
        return text.replace("${home}", str(self.home)).replace("${config}", str(self.config_dir))

    def credential(self, platform: str, department: str) -> Credential:
        """The credential of exactly that department on that platform; ConfigError if it has none."""
        found = self.credentials.get(f"{platform}.{department}")
        if found is None or found.department != department or found.platform != platform:
            raise ConfigError(
                f"secrets.toml 中没有部门 {department} 在平台 {platform} 的凭证。"
                f"请向平台运维单位领取，并写入 [{platform}.{department}] 的 app_id 与 secret。"
            )
        return found


def load_settings(
    config_dir: Path | str | None = None, home: Path | str | None = None, env: Mapping[str, str] | None = None
) -> Settings:
    """Read the configuration folder and the environment; ConfigError names file, key and remedy."""
    env = os.environ if env is None else env
    config = Path(config_dir or env.get("ZZ_CONFIG") or CHECKOUT / "config").resolve()
    state = Path(home or env.get("ZZ_HOME") or CHECKOUT / "var" / "home").resolve()
    if not config.is_dir():
        raise ConfigError(f"配置目录 {config} 不存在。请用 zz init 目录 生成一份，或检查 ZZ_CONFIG。")
    county = _model(County, _toml(config / "county.toml"), config / "county.toml")
    if env.get("ZZ_LEDGER_URL"):
        county = county.model_copy(update={"ledger_url": env["ZZ_LEDGER_URL"]})
    own = {"county": county.code}
    departments = {key: dept.model_copy(update=own) for key, dept in _departments(config, env).items()}
    if county.credit_lead not in departments:
        raise ConfigError(
            f"{config / 'county.toml'} 的 credit_lead 写的是 {county.credit_lead}，部门目录里没有这个部门。"
            f"请改成 {config / 'departments'} 中某个部门的 key。"
        )
    specs = {p.stem: _platform(p, env) for p in sorted((config / "platforms").glob("*.toml"))}
    missing = [name for name in (*county.platforms, "credit") if name not in specs]
    if missing:
        raise ConfigError(
            f"{config / 'platforms'} 缺少平台配置：{'、'.join(missing)}。每个平台一个同名 .toml 文件；"
            f"如是写错了名字，请改正 {config / 'county.toml'} 的 platforms。"
        )
    if county.entry_platform not in county.platforms:
        raise ConfigError(
            f"{config / 'county.toml'} 的 entry_platform 写的是 {county.entry_platform}，不在 platforms 之中。"
            f"请改成 {'、'.join(county.platforms)} 之一。"
        )
    return Settings(
        config_dir=config,
        home=state,
        county=county,
        departments=departments,
        platforms={name: specs[name] for name in county.platforms},
        credit=specs["credit"],
        credentials=read_credentials(state / "secrets.toml", env, county.timezone, _toml),
        alert_secrets=read_secrets(_toml(state / "secrets.toml") if (state / "secrets.toml").exists() else {}, env),
        dagster_home=Path(env["DAGSTER_HOME"]) if env.get("DAGSTER_HOME") else None,
        strays=_strays(env, specs, departments),
    )


def _strays(env: Mapping[str, str], platforms: Mapping[str, Any], departments: Mapping[str, Any]) -> tuple[str, ...]:
    read = {"ZZ_CONFIG", "ZZ_HOME", "ZZ_LEDGER_URL", *(f"ZZ_URL_{name.upper()}" for name in platforms)}
    read |= {f"ZZ_SOURCE_{key}" for key in departments}
    read |= {f"ZZ_SECRET_{name.upper()}_{key}" for name in platforms for key in departments}
    return tuple(sorted(n for n in env if n.startswith("ZZ_") and n not in read and not n.startswith("ZZ_ALERTS_")))


def _departments(config: Path, env: Mapping[str, str]) -> dict[str, Department]:
    found: dict[str, Department] = {}
    owners: dict[str, str] = {}
    for path in sorted((config / "departments").glob("*.toml")):
        department = _model(Department, _toml(path), path)
        if department.key != path.stem:
            raise ConfigError(f"{path} 的 key 是 {department.key}，应与文件名一致。")
        if department.uscc in owners:
            raise ConfigError(f"{path} 的 uscc 与 {owners[department.uscc]} 相同；一个代码只属于一个部门。")
        owners[department.uscc] = path.name
        url = env.get(f"ZZ_SOURCE_{department.key}")
        if url:
            department = department.model_copy(update={"source": department.source.model_copy(update={"url": url})})
        found[department.key] = department
    if not found:
        raise ConfigError(f"{config / 'departments'} 里没有部门配置。每个部门一个 .toml 文件。")
    return found


def _platform(path: Path, env: Mapping[str, str]) -> PlatformSpec:
    spec = _model(PlatformSpec, {"name": path.stem, **_toml(path)}, path)
    url = env.get(f"ZZ_URL_{path.stem.upper()}") or spec.url
    if problem := url_problem(url):
        raise ConfigError(
            f"{path} 的 url（或环境变量 ZZ_URL_{path.stem.upper()}）不能用：{problem}。现在写的是 {url[:200]}"
        )
    return spec.model_copy(update={"url": url})


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"缺少配置文件 {path}。可用 zz init 生成样例。") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} 不是合格的 UTF-8 TOML 文件：{error}。请打开该文件核对那一行（引号、等号、重复的键），或用 zz init 生成样例对照。"
        ) from None


def _model(model: type[_T], data: dict[str, Any], path: Path) -> _T:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"{path} 的 {key}：{SAID.get(first['type'], first['msg'].removeprefix('Value error, '))}。请对照样例改正。"
        ) from None
