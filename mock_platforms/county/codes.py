"""Numbers and words of the sample county: check digits, result labels, grades as people type them, exchanged days.

Belongs here: values of the domain standard and pure functions on them, written from the standard alone.
Must not: random choices, departments, wire formats.
"""

from __future__ import annotations

from datetime import date

USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_BODY_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)

# Wire labels of standard 1.1 in the standard's order; the order also sorts several labels on one item.
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
LABEL_ORDER = {key: place for place, key in enumerate(RESULT_LABELS)}

# Standard 1.5: what the authority did next. PENDING has no safe default and holds the record for ②.
FOLLOW_UP_OF = {
    "NO_ISSUE": "01",
    "NO_ACTIVITY": "01",
    "CORRECTED": "02",
    "NOT_PUBLISHED": "02",
    "FALSE_INFO": "02",
    "UNREACHABLE": "06",
    "REFUSED": "06",
}
FOLLOW_UP_PRECEDENCE = ("05", "04", "02", "03", "06", "01")

# scheme → grade → spellings; the first is the plain one (standard 3.1, contracts/credit.md).
GRADE_SPELLINGS: dict[str, dict[str, tuple[str, ...]]] = {
    "PUBLIC": {
        "优": ("优", "优秀", " 优 "),
        "良": ("良", "良好"),
        "中": ("中", "中等"),
        "差": ("差", "较差"),
    },
    "INDUSTRY": {g: (g, g.lower(), chr(ord(g) + 0xFEE0), f"{g}级", f"{chr(ord(g) + 0xFEE0)}级") for g in "ABCDM"},
    "RISK": {
        g: (g, g.lower(), chr(ord(g) + 0xFEE0), f"{chr(ord(g) + 0xFEE0)}级", f"{g}类", word)
        for g, word in zip("ABCD", ("信用风险低", "信用风险一般", "信用风险较高", "信用风险高"), strict=True)
    },
}

# Weekend days worked in exchange for a holiday (State Council notices 2024–2026); 2027 is not announced.
_EXCHANGED = """
2024-02-04 2024-02-18 2024-04-07 2024-04-28 2024-05-11 2024-09-14 2024-09-29 2024-10-12
2025-01-26 2025-02-08 2025-04-27 2025-09-28 2025-10-11
2026-01-04 2026-02-14 2026-02-28 2026-05-09 2026-09-20 2026-10-10
"""
EXCHANGED_WORKDAYS = tuple(date.fromisoformat(text) for text in _EXCHANGED.split())
LAST_KNOWN_YEAR = 2026
CHINESE_DIGITS = "零一二三四五六七八九"


def uscc(prefix: str, region: str, body: str) -> str:
    """A USCC of GB 32100 from category (2), region (6) and body (8 characters): both check digits are added."""
    head = prefix + region + body + body_digit(body)
    return head + uscc_digit(head)


def uscc_digit(head: str) -> str:
    """The 18th character of a USCC for its first 17."""
    total = sum(w * USCC_ALPHABET.index(c) for w, c in zip(_USCC_WEIGHTS, head, strict=True))
    return USCC_ALPHABET[(31 - total % 31) % 31]


def body_digit(body: str) -> str:
    """The GB 11714 digit of an eight-character body."""
    total = sum(w * int(c, 36) for w, c in zip(_BODY_WEIGHTS, body, strict=True))
    return {10: "X", 11: "0"}.get(11 - total % 11, str(11 - total % 11))


def resident_digit(head: str) -> str:
    """The 18th character of a resident ID (GB 11643) for its first 17 digits."""
    total = sum(w * int(c) for w, c in zip(_ID_WEIGHTS, head, strict=True))
    return "10X98765432"[total % 11]


def resembles_resident_id(number: str) -> bool:
    """Whether an 18-digit number passes the resident-ID check digit; one task number in eleven does (standard 1.6)."""
    return resident_digit(number[:17]) == number[17]


def invented_resident_id(serial: int) -> str:
    """A number nobody has: region 610199 does not exist, and the year is 1899."""
    head = f"61019918990101{serial % 1000:03d}"
    return head + resident_digit(head)


def registration_number(serial: int) -> str:
    """A 15-digit 注册号 of the old kind with its ISO 7064 MOD 11,10 digit."""
    head = f"610124{serial % 10**8:08d}"
    product = 10
    for c in head:
        total = (product + int(c)) % 10 or 10
        product = total * 2 % 11
    return head + str((11 - product) % 10)


def full_width(text: str) -> str:
    """The text with its ASCII characters as full-width forms."""
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def chinese_serial(number: int, width: int = 4) -> str:
    """A number as Chinese digits, so that invented names differ without holding figures."""
    return "".join(CHINESE_DIGITS[int(c)] for c in f"{number:0{width}d}")
