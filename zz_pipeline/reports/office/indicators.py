"""What is counted and what is divided by what: each figure once, with its definition and where it comes from.

Belongs here: the tables COUNTS and INDICATORS. Must not: SQL, numbers of a period.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# data classes that are reported; a repair notice is an order about a record, it is reported by nobody
KINDS: Mapping[str, str] = {"inspection": "检查结果", "rating": "信用评价"}
NEAR_DAYS = 3  # working days before a limit from which on it is called near (standard 5: alarm 2–3 days before)
RANKED_BY = "intake"
# rules that find a wrong USCC, and one that belongs to another subject (names of standard 0001)
WRONG_CODE = ("INS-003", "INS-005", "INS-006", "INS-044", "INS-045", "RAT-001")
WRONG_IN_CODE_FIELD = ("STD-004", "STD-006")  # of any field; they count where the field is the USCC
SHARED_CODE = ("INS-066",)


@dataclass(frozen=True, slots=True)
class Count:
    """A whole number: key, heading, what is counted, and the list in which its records stand (empty: none)."""

    key: str
    name: str
    text: str
    listing: str = ""


@dataclass(frozen=True, slots=True)
class Indicator:
    """A share: key, name, keys of numerator and denominator, definition, source, list; `good`: more is better."""

    key: str
    name: str
    numerator: str
    denominator: str
    text: str
    source: str
    listing: str
    good: bool = True


COUNTS: tuple[Count, ...] = (
    Count("handed", "提交", "本期提交的记录，含退回的；同一记录计一次", "records"),
    Count("provided", "提供", "本期提交的记录，交回更正后改了编号的，按更正后的编号计", "records"),
    Count("owed", "应报", "提供的记录中应报入口平台的；依规定不报的（评价过期等）不计", "records"),
    Count("reported", "已报", "应报记录中，已送达入口平台并得到答复的（确认、待回执、拒收、内容冲突）", "records"),
    Count("stored", "入库", "应报记录中，入口平台已确认最新一版的", "records"),
    Count("accepted", "检查接收", "提供的记录中，检查通过并已接收的", "records"),
    Count("returned", "退回", "本期因不合格退回部门的记录", "returned"),
    Count("reworked", "已整改", "本期退回的记录中，已更正并重新接收的", "returned"),
    Count("public_owed", "应公示", "本期记录中应在公示系统公示的；依法不公示、不适用和已撤回的不计", "published"),
    Count("public", "已公示", "应公示记录中，公示系统已确认最新一版的", "published"),
    Count("timely", "按期入库", "首次报送中，平台在法定期限当日或之前确认的，每条记录每个平台计一项", "timely"),
    Count("late", "迟报", "首次报送中，平台在法定期限之后才确认的，每条记录每个平台计一项", "timely"),
    Count("missed", "逾期未入库", "首次报送中，法定期限已过而平台仍未确认的，每条记录每个平台计一项", "timely"),
    Count("judged", "已到期或已入库", "按期入库、迟报、逾期未入库之和", "timely"),
    Count("arrived", "已入库项", "按期入库、迟报之和", "timely"),
    Count("undated", "期限未定", "首次报送中，法定期限算不出的（工作日表缺年份），不计入及时率和迟报率", "timely"),
    Count("items_owed", "应填项", "提交的记录数乘以数据标准的必填项数", "missing"),
    Count("items", "实填项", "应填项减去退回清单中为空的必填项", "missing"),
    Count("bad_codes", "错码重码", "统一社会信用代码有错，或与名录中另一主体重复的记录", "codes"),
    Count("overdue", "逾期", "截至目前，法定期限已过而平台未确认的，含以前各期", "overdue"),
    Count("near", "临近期限", f"截至目前，距法定期限不超过 {NEAR_DAYS} 个工作日而平台未确认的，含以前各期", "near"),
    Count("unknown", "结果不明", "截至目前，发送后不知平台是否收到的，先查询再决定是否重发", "unknown"),
    Count("held", "待人处理", "截至目前，暂缓、内容冲突或多次失败，等人处理的", "held"),
    Count("rejected", "平台拒收", "截至目前，平台拒收而尚未更正的", "rejected"),
    Count("belated", "补报", "本期的记录中，晚于应当入库之夜才入库的", "belated"),
    Count("zero_days", "零报送天数", "本期内读取成功而没有新记录的天数", ""),
    Count("lost_days", "未读到天数", "本期内来源没有读到，或没有运行的天数", ""),
)

INDICATORS: tuple[Indicator, ...] = (
    Indicator("intake", "入库率", "stored", "owed", "入库÷应报。应报含退回未改正的", "全国信用信息共享平台归集考核指标：有效入库记录数÷提供记录数", "records"),
    Indicator("timeliness", "及时率", "timely", "judged", "按期入库÷（按期入库＋迟报＋逾期未入库）；未到期又未入库的不计", "国市监信〔2019〕38号（20 个工作日）；《西安市“互联网+监管”系统管理办法（试行）》（5 个工作日）", "timely"),
    Indicator("lateness", "迟报率", "late", "arrived", "迟报÷（按期入库＋迟报）", "双公示迟报率：迟报数÷报送数；期限同及时率", "timely", good=False),
    Indicator("compliance", "合规率", "accepted", "provided", "检查接收÷提供", "归集数据合规率：清洗入库数÷归集数", "records"),
    Indicator("completeness", "完整率", "items", "items_owed", "实填项÷应填项", "数据完整率：实际提供数据项数÷要求提供数据项数", "missing"),
    Indicator("bad_code", "重错码率", "bad_codes", "handed", "错码重码÷提交，按记录计", "重错码率：重码和错码的统一社会信用代码数÷总数；GB 32100-2015", "codes", good=False),
    Indicator("rework", "退回整改率", "reworked", "returned", "已整改÷退回", "周政办发〔2024〕13号 四(四)；本平台退回清单", "returned"),
    Indicator("publicity", "公示率", "public", "public_owed", "已公示÷应公示", "国发〔2019〕5号；周政办发〔2024〕13号 三(八)", "published"),
)  # fmt: skip

COUNT: Mapping[str, Count] = {one.key: one for one in COUNTS}
INDICATOR: Mapping[str, Indicator] = {one.key: one for one in INDICATORS}
