"""Personal data: finding it in texts that may leave the house, and masking it for screens, reports and logs.

Belongs here: what a resident ID, a mobile number, a bank card or a home address looks like inside a text; masks by class.
Must not: deciding what follows from a find (rules, publishing), cutting anything out of a record.

Source: standard 4.1, 4.3, 4.5; contract ③ 6005; 个人信息保护法 §28, §51. The search is at least as wide as 6005: it is better
that a person looks at a harmless text than that a number becomes public.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from zz_pipeline.standard.columns import as_text, map_unique
from zz_pipeline.standard.identifiers import RESIDENT_CHECKS, RESIDENT_WEIGHTS, is_uscc
from zz_pipeline.standard.tables import INSPECTION, Field, Personal

RESIDENT, MOBILE, BANK_CARD, HOME = "resident_id", "mobile", "bank_card", "home_address"
KIND_LABELS = {RESIDENT: "居民身份证号", MOBILE: "手机号码", BANK_CARD: "银行卡号", HOME: "家庭住址"}
# Where an address is asked for, it is the enterprise's; a home is looked for in every other text (standard 1.8, 4.5).
ADDRESS_FIELDS = frozenset(field.name for field in INSPECTION.fields if field.personal is Personal.ADDRESS)
# By field name, because a task number has the shape of a resident ID and one in eleven also passes its check (1.6).
EXEMPT_FIELDS = frozenset({"plan_id", "task_id", "record_key", "record_no", "pub_id"})

# A text with fewer than eleven numerals holds none of the three: RE2, on the whole column, before anything slow.
_CANDIDATE = r"(?:\pN\PN*){11}"
_CANDIDATE_PY = re.compile(r"(?:\d[^\d]*){11}")
_HOME_WORDS = "住|家庭|户|单元|组|室"  # no home address without one of these
_SEPARATOR = re.compile(
    "[\\s\u00ad\u00b7\u200b-\u200f\u2010-\u2015\u202a-\u202e\u2060-\u206f\u2212\u2e3a\u2e3b\u3000\u3164\ufe58\ufe63\ufeff_-]"
)
_RESIDENT = re.compile(r"(?=([0-9]{17}[0-9Xx]))")
_MOBILE = re.compile(r"(?:(?<![0-9])|(?<=86))1[3-9](?:[\s\u2010-\u2015-]?[0-9]){9}(?![0-9])")
_N = r"[0-9一二三四五六七八九十百零〇]{1,5}"
_DOOR = rf"{_N}\s*(?:室|户|号(?!令|文|公告)|组|栋|幢|单元)"
# What makes an address a home: that somebody lives there, or a flat or a farmstead down to the door. A street number alone
# is a shop's, and 住所 is the law's word for an enterprise's registered place.
_HOMES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?:家庭(?:住址|地址)|住址|家住|现住|居住于|居住在|居住地|常住|暂住|户籍地?|户籍所在地)(?!情况|核查|登记|人口)[^，。；;\n]{{0,40}}{_DOOR}",
        rf"{_N}\s*(?:号楼|栋|幢|座)\s*(?:{_N}\s*单元)\s*[^，。；;\n]{{0,4}}?{_N}(?:\s*(?:室|户|号))?",
        rf"{_N}\s*单元\s*{_N}\s*(?:室|户|号|层)",
        rf"(?:小区|花园|家属院|家属楼|公寓|新村|苑)\s*[^，。；;\n]{{0,12}}?{_N}\s*(?:室|户)",
        rf"村[^，。；;\n]{{0,6}}?{_N}\s*组\s*{_N}\s*(?:号|户)",
    )
)
# Prefixes of cards in use here (银联 62, 9558, Visa 4, MasterCard 51–55, JCB 35); a task number begins with 61.
_CARD = re.compile(r"(?<![0-9])(?:6[\s-]?2|9558|4|5[\s-]?[1-5]|3[\s-]?5)(?:[\s\u2010-\u2015-]{0,2}[0-9])+(?![0-9])")
_CARD_LENGTHS = range(16, 20)
_MISTYPED_UNTIL = 2012  # a mistyped ID is personal too; later "births" are rather the days of task numbers

_COMPOUND = (
    "欧阳", "司马", "上官", "诸葛", "司徒", "东方", "皇甫", "尉迟", "公孙", "慕容", "令狐", "长孙", "宇文", "端木",
    "独孤", "南宫", "夏侯", "轩辕", "呼延",
)  # fmt: skip
_BODY = re.compile(
    r"公司|企业|集团|合作社|商店|超市|[店厂局所院校园部站行社馆坊铺场会处室庄吧堂队]\Z|中心|协会|有限|个体"
)
# Columns that name persons, and what a person's name looks like there; a longer one is a body's.
_NAMING = ("inspector_names", "entered_by", "counterpart_name", "subject_name")
_PERSON = re.compile(r"[\u3400-\u9fff]{2,4}|[\u3400-\u9fff]{2,6}(?:·[\u3400-\u9fff]{1,6})+")
_NO_DATE = re.compile("(?:(?![年月日号时点分秒上下午晚零〇一二三四五六七八九十廿卅元初星期周])[\\u3400-\\u9fff])+")
_QUOTED = re.compile("“[^”]*”")
_SECRET = re.compile(
    r"(?i)((?:secret|token|password|passwd|app_?secret|sign(?:ature)?|密钥|口令)[\"']?\s*[=:：]\s*[\"']?)[^\s\"',;，；}]+"
)


def find_personal(values: Any, today: date | None = None) -> pa.Array:
    """For each text the kind of personal data in it (RESIDENT, MOBILE, BANK_CARD, HOME, the first found), null if none.

    With `today`, a birth date after it is no resident ID. Callers leave `EXEMPT_FIELDS` out.
    """
    array = as_text(values)
    candidate = pc.match_substring_regex(array, f"{_CANDIDATE}|{_HOME_WORDS}")
    return map_unique(pc.if_else(candidate, array, None), lambda text: personal_kind(text, today), pa.string())


def personal_kind(text: str, today: date | None = None, field: str = "") -> str | None:
    """`find_personal` of one text; in an address field of an enterprise no home is looked for."""
    plain = unicodedata.normalize("NFKC", text)
    squeezed = _SEPARATOR.sub("", plain)
    if any(_is_resident(match[1], today) for match in _RESIDENT.finditer(squeezed)):
        return RESIDENT
    if _MOBILE.search(plain):
        return MOBILE
    if any(_is_card(match[0]) for match in _CARD.finditer(plain)):
        return BANK_CARD
    return HOME if field not in ADDRESS_FIELDS and any(home.search(plain) for home in _HOMES) else None


def mask(value: str | None, personal: Personal, field: str = "") -> str:
    """A value as screens and reports may show it (standard 4.5); "" for null.

    Whatever the class, an ID, mobile or card inside the text is masked: a resident ID may stand in the USCC column.
    """
    if not value:
        return ""
    if field in EXEMPT_FIELDS:
        return value
    return _MASKS[personal](value)


def mask_field(value: str, field: Field | None) -> str:
    """A cell as screens may show it under a field; in a date's place only what may belong to a date, numbers masked."""
    if field is None:
        return mask(value, Personal.NONE)
    shown = mask(value, field.personal, field.name)
    return _NO_DATE.sub("＊", shown) if field.type in ("date", "datetime") else shown


def row_names(table: pa.Table, row: int) -> frozenset[str]:
    """Names of natural persons that a row of a standard table gives in its own columns: inspectors, clerk, counterpart."""
    cells = [table.column(name)[row].as_py() for name in _NAMING if name in table.column_names]
    flat = (name for cell in cells for name in (cell if isinstance(cell, list) else [cell]))
    return frozenset(
        name.strip() for name in flat if name and _PERSON.fullmatch(name.strip()) and not _BODY.search(name)
    )


def hide_names(text: str, names: Iterable[str]) -> str:
    """The text with these names masked: nothing tells a name from a word but that its own row says so."""
    for name in names:
        text = text.replace(name, _mask_name(name))
    return text


def hide_quoted_names(message: str, names: Iterable[str]) -> str:
    """`hide_names` inside “…” only, where a message quotes a cell: its own words may look like a name."""
    return _QUOTED.sub(lambda found: hide_names(found[0], names), message)


def mask_text(text: str) -> str:
    """A text with every resident ID (also a mistyped one), mobile, bank card and home in it masked; the rest unchanged."""
    if not _CANDIDATE_PY.search(unicodedata.normalize("NFKC", text)) and not re.search(_HOME_WORDS, text):
        return text
    plain, places = _with_places(text)
    out = list(text)
    for start, end, front, back in _spans(plain):
        first, last = places[start], places[end - 1]
        shown = {places[i] for i in (*range(start, start + front), *range(end - back, end))}
        for i in range(first, last + 1):
            if i not in shown:
                out[i] = "*"
    return "".join(out)


def redact(message: str) -> str:
    """A log message without personal numbers and without what follows secret=, token=, password=, sign=."""
    return mask_text(_SECRET.sub(r"\1***", message))


def _mask_name(value: str) -> str:
    name = value.strip()
    if _BODY.search(name) or len(name) > 8:
        return mask_text(value)  # a body, not a person: its registered name is public
    return (name[:2] if name.startswith(_COMPOUND) and len(name) > 2 else name[:1]) + "某"


def _mask_free(value: str) -> str:
    """Only that there is a text: a name in it cannot be told from a word."""
    return f"（文字 {len(value)} 字，内容见原表）"


def _mask_id(value: str) -> str:
    text = value.strip()
    if is_uscc(text) and not text[:17].isdigit():
        return text  # an organisation's code; one of digits only may be a person's and is masked
    return text[:1] + "*" * (len(text) - 2) + text[-1:] if len(text) > 2 else "*" * len(text)


def _mask_cert(value: str) -> str:
    text = value.strip()
    return "*" * (len(text) - 4) + text[-4:] if len(text) > 4 else "*" * len(text)


def _mask_phone(value: str) -> str:
    digits = re.sub(r"\D", "", unicodedata.normalize("NFKC", value))
    return digits[-11:-8] + "****" + digits[-4:] if len(digits) >= 11 else "****" + digits[-2:]


def _mask_address(value: str) -> str:
    return mask_text(value[:6]) + "****" if len(value) > 6 else "****"


_MASKS = {
    Personal.NONE: mask_text,
    Personal.TEXT: _mask_free,
    Personal.NAME: _mask_name,
    Personal.ID: _mask_id,
    Personal.CERT: _mask_cert,
    Personal.PHONE: _mask_phone,
    Personal.ADDRESS: _mask_address,
}


def _with_places(text: str) -> tuple[str, list[int]]:
    """The text in NFKC, and for each of its characters the place it came from."""
    plain: list[str] = []
    places: list[int] = []
    for i, char in enumerate(text):
        for part in unicodedata.normalize("NFKC", char):
            plain.append(part)
            places.append(i)
    return "".join(plain), places


def _spans(plain: str) -> Iterator[tuple[int, int, int, int]]:
    """(start, end, characters shown in front, behind) of everything to be masked."""
    kept = [i for i, char in enumerate(plain) if not _SEPARATOR.match(char)]
    squeezed = "".join(plain[i] for i in kept)
    for match in _RESIDENT.finditer(squeezed):
        if _is_resident(match[1], None) or _is_mistyped_resident(match[1]):
            yield kept[match.start()], kept[match.start() + 17] + 1, 1, 1
    for match in _MOBILE.finditer(plain):
        yield match.start(), match.end(), 3, 4
    for match in _CARD.finditer(plain):
        if _is_card(match[0]):
            yield match.start(), match.end(), 0, 4
    for home in _HOMES:
        for match in home.finditer(plain):
            yield match.start(), match.end(), 0, 0


def _is_resident(text: str, today: date | None) -> bool:
    total = sum(int(char) * weight for char, weight in zip(text[:17], RESIDENT_WEIGHTS, strict=True))
    born = _birth(text)
    return RESIDENT_CHECKS[total % 11] == text[17].upper() and born is not None and (today is None or born <= today)


def _is_mistyped_resident(text: str) -> bool:
    born = _birth(text)
    return born is not None and 1900 <= born.year <= _MISTYPED_UNTIL and "11" <= text[:2] <= "82"


def _birth(text: str) -> date | None:
    try:
        return date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return None


def _is_card(text: str) -> bool:
    digits = [int(char) for char in text if char.isdigit()]
    doubled = [digit if place % 2 == 0 else digit * 2 - 9 * (digit > 4) for place, digit in enumerate(reversed(digits))]
    return len(digits) in _CARD_LENGTHS and sum(doubled) % 10 == 0
