"""What is to be delivered: sample versions of sample records, accepted the way the product accepts.

Belongs here: payloads, the county's settings in memory, acceptance. Must not: deciding what happens to a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from zz_pipeline.chaos.sim_evidence import Version
from zz_pipeline.ledger.db import Ledger
from zz_pipeline.ledger.payload import content
from zz_pipeline.ledger.versions import Change, Facts, Source, Target, heads_of, write_versions
from zz_pipeline.settings import (
    CHECKOUT,
    Capability,
    County,
    Credential,
    Department,
    PlatformSpec,
    Settings,
    SourceSpec,
)
from zz_pipeline.standard.publishing import Decision, PublishContext, decide
from zz_pipeline.standard.workdays import WorkCalendar

ENTRY = "double_random"
PLATFORMS = ("double_random", "internet_supervision", "publicity")
DEPTS = {"AAAA": "11610124MB1A00017X", "BBBB": "11610124MB1A000252"}
ZONE_OFFSET = 8 * 3600.0
QUIET, LATE_EFFECT, SEND_DEADLINE = 60.0, 45.0, 5.0
DAY = date(2026, 11, 20)
SUBJECT = "91610124MA6AAAAA00"

_ABLE: dict[str, dict[str, Any]] = {
    "double_random": {"idempotent": "batch", "verdicts": "record", "query_by_batch": True, "versions": True},
    "internet_supervision": {"idempotent": "batch", "verdicts": "receipt", "query_by_batch": True, "versions": False},
    "publicity": {"idempotent": "content", "verdicts": "counts", "query_by_batch": False, "versions": False},
}
_SIGN = {"double_random": "HMAC-SM3", "internet_supervision": "S2", "publicity": "HMAC-SHA256"}


def spec(name: str, **values: Any) -> PlatformSpec:
    """A platform's declaration with clocks that make a night short."""
    able = Capability(query_by_key=100, public=name == "publicity", **_ABLE[name])
    common: dict[str, Any] = {
        "label": name, "adapter": name, "url": "http://127.0.0.1:9", "sign": _SIGN[name], "batch_records": 200,
        "quiet_seconds": QUIET, "late_effect_seconds": LATE_EFFECT, "send_deadline_seconds": SEND_DEADLINE,
        "poll_first_seconds": 2.0, "poll_max_seconds": 60.0, "night_wait_seconds": 200.0, "due_workdays": 20,
        "rate": 10.0, "burst": 20.0,
    }  # fmt: skip
    return PlatformSpec(name=name, capability=able, **(common | values))


@cache
def settings(depts: int = 2) -> Settings:
    """A county of one or two departments with a credential on each platform."""
    specs = {name: spec(name) for name in PLATFORMS}
    departments = {
        key: Department(key=key, name=f"周至县样例{key}局", short=key, uscc=code, source=SourceSpec(kind="none"))
        for key, code in list(DEPTS.items())[:depts]
    }
    credentials = {
        f"{p}.{d}": Credential(
            platform=p, department=d, app_id=f"app-{d}", secret=SecretStr(f"{p}-{d}-".ljust(32, "0"))
        )
        for p in PLATFORMS
        for d in departments
    }
    county = County(
        code="610124",
        name="周至县",
        office="样例",
        credit_lead="AAAA",
        release_ratings=("PUBLIC",),
        max_tries_per_night=4,
    )
    return Settings(
        config_dir=CHECKOUT / "config", home=Path("sim"), county=county, departments=departments, platforms=specs,
        credit=specs["double_random"], credentials=credentials,
    )  # fmt: skip


@cache
def calendar() -> WorkCalendar:
    """The county's working days."""
    return WorkCalendar.load(CHECKOUT / "config" / "workdays.csv")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One version that a department makes: PUBLISH (or a correction), HIDE (no longer publishable), WITHDRAW."""

    record: str
    kind: str
    owner: str
    number: int
    what: str = "PUBLISH"
    items: tuple[str, ...] = ("61012400010001",)

    @property
    def marker(self) -> str:
        """The version's own word, which every platform's content carries."""
        return f"周至县样例{self.record[-3:]}第{self.number}版有限公司"


def payload(wanted: Wanted) -> dict[str, Any]:
    """The standard payload of a version."""
    if wanted.kind == "rating":
        return {
            "kind": "rating", "record_key": wanted.record, "uscc": SUBJECT, "subject_name": wanted.marker,
            "scheme": "PUBLIC", "grade": "优", "score": None, "score_text": "", "evaluator": "样例评价机构",
            "evaluator_code": "", "rated_at": "2026-11-01", "valid_until": "", "field": "",
            "publishable": wanted.what != "HIDE",
        }  # fmt: skip
    item = {"item_name": "样例检查", "implement_code": f"{DEPTS[wanted.owner]}4000001", "result": "NO_ISSUE"}
    more = {"follow_up": "01", "remark": ""}
    return {
        "kind": "inspection", "record_key": wanted.record, "uscc": SUBJECT, "subject_name": wanted.marker,
        "plan_id": "", "plan_name": "", "task_id": "", "task_name": "", "check_kind": "个案检查",
        "case_reason": "样例事由", "joint": False, "lead_dept": "", "object_type": "1", "object_code": "",
        "inspector_names": ["张某", "李某"], "inspector_certs": ["27010124001", "27010124002"],
        "inspect_date": "2026-11-18", "finish_date": "2026-11-18", "entered_at": "2026-11-18 17:00:00",
        "entered_by": "王某", "publishable": wanted.what != "HIDE",
        "not_publish_reason": "样例理由" if wanted.what == "HIDE" else "", "counterpart_name": wanted.marker,
        "counterpart_nature": "02", "counterpart_id_type": "001", "counterpart_code": SUBJECT, "area_code": "610124",
        "check_form": "02", "check_type": "01", "check_mode": "2",
        "items": [{"item_code": code, **item, **more} for code in wanted.items],
    }  # fmt: skip


@dataclass
class Acceptance:
    """Takes versions in; what was accepted stays known when the ledger is restored, as a source would still have it."""

    ledger: Ledger
    platforms: Sequence[str]
    accepted: list[Wanted] = field(default_factory=list)
    decided: dict[tuple[str, str, str, int], Version] = field(default_factory=dict)

    def accept(self, wanted: Wanted, now: float) -> None:
        """Write a version with its outbox rows, as an intake would; nothing if it is there already."""
        with self.ledger.begin("accept") as conn:
            heads = heads_of(conn, wanted.kind, [wanted.record])
            head = heads.get(wanted.record)
            if (head.version if head else 0) >= wanted.number:
                return
            source = Source(0, wanted.kind, wanted.owner, wanted.owner, DAY, None, "rules-1", 1, 1)
            op = "WITHDRAW" if wanted.what == "WITHDRAW" else "PUBLISH"
            change = Change(content(wanted.record, payload(wanted), None, None, None), op)
            targets = [Target(name, name == "publicity") for name in self.platforms]

            def decision(kind: str, said: Any, platform: str, facts: Facts) -> Decision:
                found = _decide(kind, said, platform, facts, now)
                at = (platform, kind, wanted.record, facts.version)
                if at in self.decided and self.decided[at].state == "READY":
                    return found  # read again after a restore: it may have left in the life before
                self.decided[at] = Version(*at, wanted.owner, str(found.op), str(found.state), wanted.marker, now)
                return found

            write_versions(conn, source, [change], heads, targets, decision, now=now, zone_offset=ZONE_OFFSET)
        if wanted not in self.accepted:
            self.accepted.append(wanted)

    def again(self, now: float) -> None:
        """Read everything once more, as the first night after a restore does."""
        for wanted in list(self.accepted):
            self.accept(wanted, now)


def _decide(kind: str, said: Any, platform: str, facts: Facts, now: float) -> Decision:
    context = PublishContext(
        now=datetime.fromtimestamp(now, settings().zone).replace(tzinfo=None), calendar=calendar(), due_workdays=20,
        release_ratings=frozenset({"PUBLIC"}), suppressed=facts.suppressed, was_public=facts.was_public,
        version=facts.version, op=facts.op, repair=facts.repair,
    )  # fmt: skip
    return decide(kind, said, platform, context)
