"""Whether a version goes to a platform, as what, from when and until when: one pure decision for each version × platform.

Belongs here: the publishing rules of docs/decisions/0001 and standard 1.5, 1.8, 3.1, 3.4, each with its legal source.
Must not: sending, wire fields, the order of platforms (②③ wait for ① in `delivery`), reading the clock or files.

`rule` of a WITHDRAW is the reason code of contract ③: REPAIRED, EXPIRED, REVOKED, ENTRY_ERROR, OBJECTION, NOT_PUBLIC.
Times are Beijing wall times without zone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple

from zz_pipeline.errors import StandardError, UnknownYear
from zz_pipeline.standard.dates import parse_date, parse_datetime
from zz_pipeline.standard.identifiers import MARKET
from zz_pipeline.standard.personal import KIND_LABELS, personal_kind
from zz_pipeline.standard.publishing_periods import Periods, term_of
from zz_pipeline.standard.results import UNFINISHED, FollowUps
from zz_pipeline.standard.tables import RESULT_LABELS, Kind
from zz_pipeline.standard.workdays import WorkCalendar

READY, HELD, BLOCKED, NOT_APPLICABLE = "READY", "HELD", "BLOCKED", "NOT_APPLICABLE"
PUBLISH, CORRECT, WITHDRAW = "PUBLISH", "CORRECT", "WITHDRAW"
DOUBLE_RANDOM, INTERNET, PUBLICITY = "double_random", "internet_supervision", "publicity"

# Why something public must stop: code of contract ③ → Chinese with its source.
STOP_REASONS = {
    "REPAIRED": "信用修复，停止公示、共享和使用（《信用修复管理办法》国家发展改革委令第36号）",
    "EXPIRED": "公示期满或评价已过有效期，停止公示（标准 3.4）",
    "REVOKED": "决定被撤销或变更，停止公示（标准 3.4）",
    "ENTRY_ERROR": "录入错误，停止公示（《企业信息公示暂行条例》第十二条）",
    "OBJECTION": "异议成立，停止公示（标准 3.4）",
    "NOT_PUBLIC": "依法不宜公开，停止公示（国发〔2019〕5号）",
}
# After these a record was taken back everywhere; after the others only its publicity ended.
TAKEN_BACK = ("REVOKED", "ENTRY_ERROR", "OBJECTION")
_HIDDEN = {"EXPIRED": "公示期满", "NOT_PUBLIC": "依法不宜公开"}
# Words that ③ refuses in any text and records against the department (6005).
_RISK_WORDS = ("RISK", "信用风险分类")
# Fields whose text goes to ③ and is searched there; numbers (pubId, UniCode, plan, task) are exempt by name.
_PUBLIC_TEXTS = {
    Kind.INSPECTION: ("subject_name", "plan_name", "task_name"),
    Kind.RATING: ("subject_name", "evaluator"),
}


class Decision(NamedTuple):
    """What is to happen with one version on one platform; `reason` is Chinese, for people."""

    state: str
    op: str
    reason: str = ""
    rule: str = ""
    not_before: datetime | None = None
    due: date | None = None


@dataclass(frozen=True, slots=True)
class PublishContext:
    """What a decision may know beside the content.

    release_ratings: schemes the county has released · due_workdays: statutory working days of this platform, 0 = none ·
    periods: how long something may be public; None = not asked · suppressed: reason code if the record must not be public
    any more · was_public: this platform shows or may show an earlier version · op: operation of the record version ·
    repair: a repair notice or the end of a period made this version and changed nothing but its publicity.
    """

    now: datetime
    calendar: WorkCalendar
    due_workdays: int = 0
    release_ratings: Collection[str] = ()
    suppressed: str | None = None
    was_public: bool = False
    version: int = 1
    op: str = PUBLISH
    repair: bool = False
    follow_ups: FollowUps | None = None
    periods: Periods | None = None

    @property
    def today(self) -> date:
        """The county's day."""
        return self.now.date()


Payload = Mapping[str, Any]


def decide(kind: str, payload: Payload, platform: str, ctx: PublishContext) -> Decision:
    """The publishing decision for one version on one platform; StandardError for an unknown pair."""
    rule = _RULES.get((str(kind), platform))
    if rule is None:
        raise StandardError(f"没有规定 {kind} 类记录在平台 {platform} 上如何处理。请在发布规则表中补充后再运行。")
    decision = rule(payload, ctx)
    return _with_due(decision, str(kind), payload, ctx)


# ── inspections ─────────────────────────────────────────────────────────────────────────────────────────────────────
def _inspection_entry(payload: Payload, ctx: PublishContext) -> Decision:
    if ctx.op == WITHDRAW:
        return _withdrawn(ctx)
    if ctx.suppressed in TAKEN_BACK:
        return _not_by_itself(ctx)
    return Decision(READY, _op(ctx), "", "0001 ①")


def _inspection_internal(payload: Payload, ctx: PublishContext) -> Decision:
    if ctx.op == WITHDRAW:
        return _withdrawn(ctx)
    if ctx.repair and ctx.was_public:
        return _kept(ctx, "检查行为")
    day = parse_date(payload.get("inspect_date") or "")
    # The receiver refuses a record handed in on the day of the check (standard 2.5, trap 1): wait, never backdate.
    wait = datetime.combine(day + timedelta(days=1), time()) if day else None
    unsettled = _unsettled(payload, ctx, day)
    if unsettled:
        reason = f"{unsettled}：须由检查部门填写处理结果（01–06）后再报送，5 个工作日的期限照常计算（标准 1.5）"
        return Decision(HELD, _op(ctx), reason, "standard 1.5", wait)
    return Decision(READY, _op(ctx), "", "0001 ②", wait)


def _inspection_public(payload: Payload, ctx: PublishContext) -> Decision:
    if ctx.op == WITHDRAW:
        return _withdrawn(ctx)
    if not str(payload.get("uscc") or "").startswith(MARKET):
        reason = "检查对象不是登记的经营主体（代码非 91、92、93），公示系统不收录（标准 1.8）"
        return _not_public(ctx, NOT_APPLICABLE, reason, "standard 1.8", "ENTRY_ERROR")
    if ctx.suppressed:
        return _not_public(ctx, BLOCKED, f"已停止公示，后续版本不得再公示：{_stop(ctx.suppressed)}", "standard 3.4")
    if payload.get("publishable") is not True:
        why = payload.get("not_publish_reason") or "未填理由"
        return _not_public(ctx, BLOCKED, f"部门认定依法不宜公示（{_shown(why)}）（国发〔2019〕5号）", "standard 1.8")
    return _period_over(Kind.INSPECTION, payload, ctx) or _public(Kind.INSPECTION, payload, ctx, "国市监信〔2019〕38号")


# ── ratings ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def _rating_shared(payload: Payload, ctx: PublishContext) -> Decision:
    if ctx.op == WITHDRAW:
        return _withdrawn(ctx)
    if ctx.suppressed and ctx.version == 1:
        # The notice came before its record. A later revision is the new rating that follows a repair: it is shared.
        return Decision(BLOCKED, PUBLISH, f"修复通知先于本评价到达，不再共享：{_stop(ctx.suppressed)}", "standard 3.4")
    if ctx.suppressed in TAKEN_BACK:
        return _not_by_itself(ctx)
    if ctx.repair and ctx.was_public:
        return _kept(ctx, "共享的评价")
    return _expiry(payload, ctx) or Decision(READY, _op(ctx), "", "周政办发〔2024〕13号 三(十三)")


def _rating_public(payload: Payload, ctx: PublishContext) -> Decision:
    scheme = payload.get("scheme")
    if scheme == "RISK":
        # Also where something earlier may be public: nothing that carries this scheme goes out, a person must act.
        note = "；平台上可能有此前公示的版本，请人工核查并停止公示" if ctx.was_public else ""
        reason = f"企业信用风险分类是内部参考，永不公示（国市监信发〔2022〕6号）{note}"
        return Decision(BLOCKED, _op(ctx), reason, "国市监信发〔2022〕6号")
    if ctx.op == WITHDRAW:
        return _withdrawn(ctx)
    if scheme != "PUBLIC":
        reason = "公示系统只收公共信用综合评价，行业信用评价不公示（标准 3.1）"
        return _not_public(ctx, NOT_APPLICABLE, reason, "standard 3.1")
    if ctx.suppressed:
        return _not_public(ctx, BLOCKED, f"已停止公示，后续修订不得再公示：{_stop(ctx.suppressed)}", "standard 3.4")
    expired = _expiry(payload, ctx)
    if expired:
        over = expired.state == NOT_APPLICABLE  # an unreadable date is no reason to take anything down
        return _not_public(ctx, expired.state, expired.reason, expired.rule, "EXPIRED") if over else expired
    if not str(payload.get("uscc") or "").startswith(MARKET):
        reason = "评价对象不是登记的经营主体（代码非 91、92、93），公示系统不收录（标准 1.8）"
        return _not_public(ctx, NOT_APPLICABLE, reason, "standard 1.8", "ENTRY_ERROR")
    if "PUBLIC" not in ctx.release_ratings:
        return _not_public(
            ctx, BLOCKED, "县里没有放开公共信用综合评价的公示（county.toml release_ratings）", "standard 3.1"
        )
    if payload.get("publishable") is not True:
        return _not_public(ctx, BLOCKED, "信用平台标明该评价不可公示（标准 3.1）", "standard 3.1")
    return _period_over(Kind.RATING, payload, ctx) or _public(
        Kind.RATING, payload, ctx, "周政办发〔2024〕13号 三(十三)"
    )


def _notice(payload: Payload, ctx: PublishContext) -> Decision:
    reason = "修复通知本身不推送，它所指的记录另生成新版本（标准 3.4）"
    return Decision(NOT_APPLICABLE, _op(ctx), reason, "standard 3.4")


_RULES: dict[tuple[str, str], Callable[[Payload, PublishContext], Decision]] = {
    (Kind.INSPECTION.value, DOUBLE_RANDOM): _inspection_entry,
    (Kind.INSPECTION.value, INTERNET): _inspection_internal,
    (Kind.INSPECTION.value, PUBLICITY): _inspection_public,
    (Kind.RATING.value, DOUBLE_RANDOM): _rating_shared,
    (Kind.RATING.value, INTERNET): _rating_shared,
    (Kind.RATING.value, PUBLICITY): _rating_public,
    **{(Kind.REPAIR.value, platform): _notice for platform in (DOUBLE_RANDOM, INTERNET, PUBLICITY)},
}


# ── what several rules share ────────────────────────────────────────────────────────────────────────────────────────
def _op(ctx: PublishContext) -> str:
    return CORRECT if ctx.was_public else PUBLISH


def _stop(code: str) -> str:
    return STOP_REASONS.get(code, STOP_REASONS["NOT_PUBLIC"])


def _shown(text: str) -> str:
    """A reason a person typed, without personal data."""
    return "理由含个人信息，从略" if personal_kind(text) else text


def _kept(ctx: PublishContext, what: str) -> Decision:
    why = _HIDDEN.get(ctx.suppressed or "", "信用修复")
    return Decision(NOT_APPLICABLE, CORRECT, f"{why}只影响公示，{what}在本平台保留（标准 3.4）", "standard 3.4")


def _not_by_itself(ctx: PublishContext) -> Decision:
    """What people took back comes back only when people say so, whatever its department hands in meanwhile."""
    reason = f"此前已撤回（{_stop(ctx.suppressed or '')}）；更正后如需恢复，须两人用 zz reinstate 说明依据（标准 3.4）"
    return Decision(HELD, _op(ctx), reason, "standard 3.4")


def _withdrawn(ctx: PublishContext) -> Decision:
    code = ctx.suppressed if ctx.suppressed in STOP_REASONS else "NOT_PUBLIC"
    if not ctx.was_public:
        return Decision(NOT_APPLICABLE, WITHDRAW, f"本平台没有收到过此记录，无需撤回：{_stop(code)}", code)
    return Decision(READY, WITHDRAW, _stop(code), code)


def _not_public(ctx: PublishContext, state: str, reason: str, rule: str, code: str = "NOT_PUBLIC") -> Decision:
    """`state` where nothing is public yet; a withdrawal where an earlier version is or may be."""
    if not ctx.was_public:
        return Decision(state, PUBLISH, reason, rule)
    told = ctx.suppressed if ctx.suppressed in STOP_REASONS else code
    return Decision(READY, WITHDRAW, f"{_stop(told)}；{reason}", told)


def _public(kind: Kind, payload: Payload, ctx: PublishContext, rule: str) -> Decision:
    """READY unless a text that would go to ③ holds what may not be public: then a person looks, nothing is cut out."""
    for label, text in _public_texts(kind, payload):
        found = personal_kind(text, ctx.today)
        if found:
            reason = (
                f"{label}中含有{KIND_LABELS[found]}，不得公示。请检查部门改正后重新提交（个人信息保护法第二十八条）"
            )
            return Decision(HELD, _op(ctx), reason, "6005")
        if any(word in text.upper() for word in _RISK_WORDS):
            reason = f"{label}中含有“信用风险分类”字样，不得公示。请检查部门改正后重新提交（国市监信发〔2022〕6号）"
            return Decision(HELD, _op(ctx), reason, "6005")
    return Decision(READY, _op(ctx), "", rule)


_LABELS = {
    "subject_name": "检查对象名称",
    "plan_name": "抽查计划名称",
    "task_name": "抽查任务名称",
    "evaluator": "评价机构",
}


def _public_texts(kind: Kind, payload: Payload) -> Iterator[tuple[str, str]]:
    for name in _PUBLIC_TEXTS[kind]:
        yield _LABELS[name], str(payload.get(name) or "")
    for item in payload.get("items") or ():
        yield "检查事项名称", str(item.get("item_name") or "")


def _expiry(payload: Payload, ctx: PublishContext) -> Decision | None:
    """NOT_APPLICABLE past valid_until, HELD if it cannot be read, None if the rating still holds."""
    until = payload.get("valid_until")
    if not until:
        return None
    end = parse_datetime(until)
    if end is None:
        return Decision(
            HELD, _op(ctx), "评价有效期无法识别，不能判断是否过期。请信用平台核对（标准 3.1）", "standard 3.1"
        )
    whole_day = ":" not in until  # a bare date holds to the end of that day
    over = ctx.today > end.date() if whole_day else ctx.now > end
    reason = f"评价已过有效期（{until}），不再推送（标准 3.1）"
    return Decision(NOT_APPLICABLE, _op(ctx), reason, "standard 3.1") if over else None


def _period_over(kind: Kind, payload: Payload, ctx: PublishContext) -> Decision | None:
    """What the county's table of periods says of something whose time is over; None while it may be public."""
    term = term_of(kind, payload)
    last = ctx.periods.last(term) if ctx.periods and term else None
    if last is None or ctx.now <= last:
        return None
    reason = f"公示期已满（截止 {last:%Y-%m-%d}），不再公示（标准 3.4）"
    return _not_public(ctx, NOT_APPLICABLE, reason, "standard 3.4", "EXPIRED")


def is_settled(result: str | None, follow_up: str | None, day: date | None, follow_ups: FollowUps | None) -> bool:
    """Whether an item has its 01–06, from its source or by the dated map, on the day of the check."""
    if follow_up:
        return True
    if result in UNFINISHED:
        return False
    return not (follow_ups and day) or follow_ups.of(str(result), day) is not None


def _unsettled(payload: Payload, ctx: PublishContext, day: date | None) -> str:
    """The label of the first item that has no 01–06; "" if all have one."""
    for item in payload.get("items") or ():
        key = item.get("result")
        if not is_settled(key, item.get("follow_up"), day, ctx.follow_ups):
            return f"事项 {item.get('item_code')} 的结果是“{RESULT_LABELS.get(key, key)}”"
    return ""


def _with_due(decision: Decision, kind: str, payload: Payload, ctx: PublishContext) -> Decision:
    """The statutory last day, counted from the check's completion or the rating's date; a held record keeps its clock.

    Which kinds have a clock is the platform's `due_workdays`. An unknown year gives no date but a note.
    """
    term = term_of(kind, payload) if kind != Kind.REPAIR else None
    counts = decision.state in (READY, HELD) and decision.op != WITHDRAW
    if term is None or not counts or ctx.due_workdays <= 0:
        return decision
    try:
        return decision._replace(due=ctx.calendar.due(term.since, ctx.due_workdays))
    except UnknownYear as error:
        return decision._replace(
            reason="；".join(part for part in (decision.reason, f"法定期限未算出：{error}") if part)
        )
