"""The standard tables as data: each field once, with label, type, length, code set, personal-data class and source.

Belongs here: declarations, what derives from them without IO (Arrow schema, labels), what counts as a table of such rows.
Must not: reading of files, rules that need more than one field, anything a platform's wire decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import pyarrow as pa


class Kind(StrEnum):
    """Data classes that move through the pipeline; one standard table each."""

    INSPECTION = "inspection"
    RATING = "rating"
    REPAIR = "repair"


class Personal(StrEnum):
    """Personal-data class of a field (个人信息保护法 §51: classes decide masking and access)."""

    NONE = "none"
    NAME = "name"
    ID = "id"
    CERT = "cert"
    PHONE = "phone"
    ADDRESS = "address"
    TEXT = "text"  # free text in which personal data may stand


class Scope(StrEnum):
    """Whether a field says something of the whole record or of one checked item of it."""

    RECORD = "record"
    ITEM = "item"
    TRACE = "trace"  # provenance; never part of the content digest


class Rows(Protocol):
    """A table that need not be in memory: a `pa.Table`, or one that reads from disk the columns it is asked for."""

    @property
    def num_rows(self) -> int: ...
    @property
    def column_names(self) -> list[str]: ...
    def select(self, columns: list[str]) -> pa.Table: ...


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a standard table. `length` counts characters; `required` means on every row."""

    name: str
    label: str
    type: str = "text"  # text | date | datetime | bool | int | number | texts
    length: int | None = None
    required: bool = False
    codes: str | None = None  # name of the code set in `standard.codes`
    personal: Personal = Personal.NONE
    scope: Scope = Scope.RECORD
    legal: str = ""

    @property
    def arrow(self) -> pa.DataType:
        """Arrow type of the field."""
        return _ARROW[self.type]


_ARROW = {
    "text": pa.string(),
    "date": pa.date32(),
    "datetime": pa.timestamp("s"),  # Beijing wall time, no zone: the wire knows no other
    "bool": pa.bool_(),
    "int": pa.int64(),
    "number": pa.float64(),
    "texts": pa.list_(pa.string()),
}


@dataclass(frozen=True, slots=True)
class Table:
    """A standard table: fields in order, and the fields that identify a record."""

    kind: Kind
    label: str
    fields: tuple[Field, ...]

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema, every column nullable: what is required is a rule with a Chinese reason, not a crash."""
        return pa.schema([pa.field(f.name, f.arrow) for f in self.fields])

    def field(self, name: str) -> Field:
        """The field of that name; KeyError if there is none."""
        for f in self.fields:
            if f.name == name:
                return f
        raise KeyError(name)

    def names(self, scope: Scope) -> tuple[str, ...]:
        """Names of the fields of a scope, in table order."""
        return tuple(f.name for f in self.fields if f.scope is scope)


_I, _T = Scope.ITEM, Scope.TRACE
_C1 = "interface specification of double_random"
_TRACE = (
    Field("dept", "部门键", length=8, required=True, scope=_T),
    Field("source_file", "来源文件或表", scope=_T),
    Field("source_row", "来源行号", "int", scope=_T),
    Field("changed_at", "来源变更时间", "datetime", scope=_T),
)

# One row for each (record, checked item, result label): the result is per 检查事项, an item may carry several labels.
INSPECTION = Table(
    Kind.INSPECTION,
    "抽查检查结果",
    (
        Field("record_key", "记录键", length=35, required=True, legal="contracts ① E01"),
        Field("record_no", "检查编号", length=22, required=True, legal="contracts ① E01"),
        Field("plan_id", "抽查计划编号", length=14, legal="contracts ① E04"),
        Field("plan_name", "抽查计划名称", length=500),
        Field("task_id", "抽查任务编号", length=18, legal="contracts ① E04"),
        Field("task_name", "抽查任务名称", length=500),
        Field("check_kind", "抽查类型", length=10, required=True, codes="抽查类型", legal="contracts ① E04"),
        Field("case_reason", "个案检查事由", length=200, personal=Personal.TEXT, legal="contracts ① E04"),
        Field("joint", "是否联合检查", "bool", required=True),
        Field("lead_dept", "牵头部门", length=200, required=True),
        Field("subject_name", "检查对象名称", length=200, required=True, legal="contracts ① E05"),
        Field("uscc", "统一社会信用代码", length=18, legal="GB 32100-2015; contracts ① E06"),
        Field("object_type", "监管对象类型", length=2, required=True, codes="监管行为监管对象类型"),
        Field("object_code", "监管对象编码", length=200, legal="contracts ① E06"),
        Field("counterpart_name", "行政相对人", length=200, required=True, personal=Personal.NAME),
        Field("counterpart_nature", "行政相对人性质", length=2, required=True, codes="行政相对人性质"),
        Field("counterpart_id_type", "行政相对人证件类型", length=3, required=True, codes="证件类型"),
        Field("counterpart_code", "行政相对人编码", length=20, required=True, personal=Personal.ID),
        Field("address_registered", "注册地址", length=400, personal=Personal.ADDRESS),
        Field("address_operating", "经营地址", length=400, personal=Personal.ADDRESS),
        Field("area_code", "行政区划代码", length=6, required=True, codes="行政区划"),
        Field("inspector_names", "检查人员", "texts", required=True, personal=Personal.NAME),
        Field("inspector_certs", "执法证号", "texts", required=True, personal=Personal.CERT),
        Field("inspect_date", "检查日期", "date", required=True),
        Field("finish_date", "检查完成日期", "date", required=True, legal="国市监信〔2019〕38号: 20 个工作日自此起算"),
        Field("check_form", "检查形式", length=2, required=True, codes="检查形式"),
        Field("check_type", "检查类别", length=2, required=True, codes="检查类别"),
        Field("check_mode", "检查方式", length=1, codes="检查方式"),
        Field("publishable", "是否可公示", "bool", required=True, legal="contracts ① E11"),
        Field("not_publish_reason", "不予公示理由", length=500, personal=Personal.TEXT),
        Field("entered_by", "录入人", length=50, personal=Personal.NAME),
        Field("entered_at", "录入时间", "datetime", required=True, legal="contracts ① E09"),
        Field("item_code", "检查事项编码", length=14, required=True, scope=_I, legal="contracts ① E10"),
        Field("item_name", "检查事项名称", length=500, required=True, scope=_I),
        Field("implement_code", "检查实施清单编码", length=800, required=True, scope=_I, legal="contracts ② 04"),
        Field("result", "检查结果", length=20, required=True, codes="检查结果类别", scope=_I, legal="standard 1.1"),
        Field("follow_up", "处理结果(01–06)", length=2, codes="检查结果", scope=_I, legal="standard 1.5"),
        Field("remark", "备注", length=500, personal=Personal.TEXT, scope=_I),
        Field("result_raw", "检查结果原文", personal=Personal.TEXT, scope=_T),
        *_TRACE,
    ),
)

RATING = Table(
    Kind.RATING,
    "信用评价结果",
    (
        Field("record_key", "评价编号", length=35, required=True),
        Field("revision", "修订号", "int", required=True, scope=_T),
        Field("uscc", "统一社会信用代码", length=18, required=True),
        Field("subject_name", "企业名称", length=200, required=True),
        Field("scheme", "评价类别", length=8, required=True, codes="信用评价类别"),
        Field("grade", "评价等级", length=4, required=True, codes="信用等级"),
        Field("score", "评价得分", "number"),
        Field("score_text", "评价得分原文", length=50, legal="contracts ②: the source's number as text"),
        Field("evaluator", "评价机构", length=200, required=True),
        Field("evaluator_code", "评价机构代码", length=18),
        Field("rated_at", "评价时间", length=19, required=True, legal="a date or a date-time, as the source gave it"),
        Field("valid_until", "有效期至", length=19),
        Field("field", "领域", length=200),
        Field("publishable", "来源称可公示", "bool", required=True),
        *_TRACE,
    ),
)

REPAIR = Table(
    Kind.REPAIR,
    "信用修复通知",
    (
        Field("record_key", "修复编号", length=35, required=True),
        Field("uscc", "统一社会信用代码", length=18),
        Field("subject_name", "企业名称", length=200),
        Field("target", "修复对象类别", length=10, required=True, codes="修复对象类别"),
        Field("target_key", "修复对象编号", length=128, required=True),
        Field("decision_no", "修复决定文号", length=128),
        Field("decided_at", "决定日期", length=19),
        Field("effective_at", "生效日期", length=19),
        *_TRACE,
    ),
)

TABLES = {t.kind: t for t in (INSPECTION, RATING, REPAIR)}


@dataclass(frozen=True, slots=True)
class Register:
    """A reference list of the county: where it lies, and its columns. Every column of a list file is text."""

    name: str
    label: str
    where: str
    fields: tuple[Field, ...]


_DEPT = Field("dept", "部门键", length=8, required=True, legal="docs/decisions/0001")
_REGISTER_ITEMS = (
    Field("item_code", "检查事项编码", length=14, required=True, legal="contracts ① E10, ② 03"),
    Field("item_name", "检查事项名称", length=500, required=True),
    _DEPT,
    Field("implement_code", "检查实施清单编码", length=800, legal="contracts ② 04"),
    Field("status", "事项状态", required=True, codes="事项状态", legal="standard 2.3"),
    Field("category", "事项类别", legal="standard §7"),
    Field("special", "是否专项", codes="是否"),
)
_REGISTER_INSPECTORS = (
    Field("cert_no", "执法证号", length=20, required=True, personal=Personal.CERT, legal="contracts ① E08"),
    Field("name", "姓名", length=200, required=True, personal=Personal.NAME),
    _DEPT,
    Field("nature", "人员性质", codes="执法人员性质", legal="standard 1.6"),
    Field("valid_from", "有效期起", "date"),
    Field("valid_until", "有效期止", "date"),
    Field("status", "证件状态（有效、失效）", required=True, legal="standard 1.6"),
)
_REGISTER_PLANS = (
    Field("plan_id", "抽查计划编号", length=14, required=True, legal="standard 1.6"),
    Field("plan_name", "抽查计划名称", length=500, required=True),
    _DEPT,
    Field("year", "年度", length=4, required=True, legal="周政办发〔2024〕13号 三(七)"),
)
_REGISTER_TASKS = (
    Field("task_id", "抽查任务编号", length=18, required=True, legal="standard 1.6"),
    Field("plan_id", "所属计划编号", length=14),
    Field("task_name", "抽查任务名称", length=500, required=True),
    Field("lead_dept", "牵头部门键", length=8, required=True),
    Field("depts", "参与部门键（分号分隔）", legal="周政办发〔2024〕13号 三(八)"),
    Field("start", "开始日期", "date"),
    Field("end", "结束日期", "date"),
)
_REGISTER_SUBJECTS = (
    Field("object_code", "监管对象编码", length=200),
    Field("name", "检查对象名称", length=200, required=True),
    Field("uscc", "统一社会信用代码", length=18, legal="GB 32100-2015"),
    Field("object_type", "监管对象类型", length=2, codes="监管行为监管对象类型"),
    Field("area_code", "行政区划代码", length=6, codes="行政区划"),
)
_REGISTER_DEPARTMENTS = (
    Field("key", "部门键", length=8, required=True, legal="standard §0"),
    Field("name", "部门全称", length=200, required=True),
    Field("short", "规范简称", length=200, required=True),
    Field("aliases", "其他写法", "texts"),
    Field("uscc", "统一社会信用代码", length=18, required=True, legal="GB 32100-2015; contracts ① E07"),
    Field("codes", "监管部门代码", "texts", codes="监管部门"),
)
# The first five are files of the county's lists folder; a department is a configuration file of its own.
REGISTERS = {
    register.name: register
    for register in (
        Register("items", "监管事项清单", "lists/items.csv", _REGISTER_ITEMS),
        Register("inspectors", "执法检查人员名录", "lists/inspectors.csv", _REGISTER_INSPECTORS),
        Register("plans", "抽查计划", "lists/plans.csv", _REGISTER_PLANS),
        Register("tasks", "抽查任务", "lists/tasks.csv", _REGISTER_TASKS),
        Register("subjects", "检查对象名录", "lists/subjects.csv", _REGISTER_SUBJECTS),
        Register("departments", "部门目录", "config/departments/<部门键>.toml", _REGISTER_DEPARTMENTS),
    )
}

# The eight classes of standard 1.1: key → label. The label is the wire text on ① and ③, to the letter.
RESULT_LABELS = {
    "NO_ISSUE": "未发现问题",
    "NOT_PUBLISHED": "未按规定公示应当公示的信息",
    "FALSE_INFO": "公示信息隐瞒真实情况、弄虚作假",
    "UNREACHABLE": "通过登记的住所（经营场所）无法联系",
    "CORRECTED": "发现问题已责令改正",
    "REFUSED": "不配合检查情节严重",
    "NO_ACTIVITY": "未发现开展本次抽查涉及的经营活动",
    "PENDING": "发现问题待后续处理",
}
