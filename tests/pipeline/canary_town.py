"""Ten thousand values that must not get out: drawing them, planting them in a department's workbook, finding them again.

Belongs here: the values, where they stand, what counts as found. Must not: assertions, knowledge of how anything masks.
"""

from __future__ import annotations

import csv
import html
import re
import sqlite3
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import xlsxwriter

from mock_platforms.county.codes import resident_digit
from tests.pipeline import test_new_department as new

SURNAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜"
CYCLE = "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉戌亥"
SETS = 5  # persons in one remark
IGNORED = {"证件": "resident", "电话": "mobile", "卡": "card", "家住": "home", "家属": "name"}
HEADING = "联系人13000099999"


def resident(n: int) -> str:
    """A number nobody has: no such region, born in 1899."""
    head = f"610199{date(1899, 1, 1) + timedelta(n // 900):%Y%m%d}{n % 900:03d}"
    return head + resident_digit(head)


def mobile(n: int) -> str:
    return f"130000{n:05d}"


def card(n: int) -> str:
    """A number of a bank that does not exist, with its Luhn digit."""
    head = f"629999{n:012d}"
    doubled = [int(c) * 2 - 9 * (int(c) > 4) if place % 2 == 0 else int(c) for place, c in enumerate(reversed(head))]
    return head + str(-sum(doubled) % 10)


def home(n: int) -> str:
    return f"样例小区{n}号楼1单元{n}室"


def name(n: int) -> str:
    """A surname and two of the sixty-year cycle's signs: no real name, and no word."""
    first, rest = divmod(n, len(CYCLE) ** 2)
    return SURNAMES[first] + CYCLE[rest // len(CYCLE)] + CYCLE[rest % len(CYCLE)]


DRAW = {"resident": resident, "mobile": mobile, "card": card, "home": home, "name": name}


@dataclass
class Canaries:
    """Every value that was planted, by kind; `take` draws a new one."""

    planted: dict[str, set[str]] = field(default_factory=lambda: {kind: set() for kind in (*DRAW, "secret")})

    def take(self, kind: str) -> str:
        value = DRAW[kind](len(self.planted[kind]) + 1)
        self.planted[kind].add(value)
        return value

    def person(self) -> str:
        """One person as a clerk notes somebody down."""
        take = self.take
        return f"{take('name')}{take('resident')}电{take('mobile')}卡{take('card')}住{take('home')}"

    def remark(self) -> str:
        return "；".join(self.person() for _ in range(SETS))

    @property
    def count(self) -> int:
        return sum(len(values) for values in self.planted.values())

    # finding
    def found(self, text: str) -> set[str]:
        """Those that stand in a text, also as JSON or HTML writes them."""
        plain = html.unescape(re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), text))
        hits = {text_ for text_ in self.planted["secret"] if text_ in plain}
        for run in re.findall(r"[0-9Xx]{11,}", plain):
            hits |= {run[i : i + n] for n in (11, 18, 19) for i in range(len(run) - n + 1)} & self._numbers
        hits |= set(re.findall(r"样例小区\d+号楼1单元\d+室", plain)) & self.planted["home"]
        return hits | ({plain[m : m + 3] for m in _starts(plain)} & self.planted["name"])

    @property
    def _numbers(self) -> set[str]:
        return self.planted["resident"] | self.planted["mobile"] | self.planted["card"]


def _starts(text: str) -> Iterator[int]:
    for match in re.finditer(f"(?=[{SURNAMES}][{CYCLE}][{CYCLE}])", text):
        yield match.start()


def texts(path: Path) -> Iterator[str]:
    """Everything that a file says: rows of a database, members of an archive, else its bytes."""
    data = path.read_bytes()
    if data[:15] == b"SQLite format 3":
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as conn:
            yield "\n".join(_rows(conn))
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as book:
            for member in book.namelist():
                yield book.read(member).decode("utf-8", "replace")
    yield data.decode("utf-8", "replace")


def _rows(conn: sqlite3.Connection) -> Iterator[str]:
    tables = [row[0] for row in conn.execute("select name from sqlite_master where type = 'table'")]
    for table in tables:
        for row in conn.execute(f'select * from "{table}"'):
            yield " ".join(v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in row)


# ── the department that writes them down ────────────────────────────────────────────────────────────────────────────────
def configuration() -> str:
    """The new department's file, with columns that it does not need."""
    ignored = ", ".join(f'"{heading}"' for heading in ("天气", *IGNORED))
    return new._toml().replace('ignore = ["天气"]', f"ignore = [{ignored}]")


def rows(canaries: Canaries, day: date, records: int) -> Iterator[dict[str, str]]:
    """Good records with personal data beside and inside them, then one bad record of each sort."""
    for n in range(records):
        subject = (f"周至县样例第{n}号有限公司", new.SHOP[1])
        yield _row(canaries, f"X-{n:04d}", day, subject, "没毛病")
    for n, bad in enumerate(_bad(canaries, day), 9000):
        yield _row(canaries, f"X-{n:04d}", day, new.SHOP, bad.pop("result", "没毛病"), **bad)


def _row(
    canaries: Canaries, number: str, day: date, subject: tuple[str, str], result: str, **more: str
) -> dict[str, str]:
    said = new._row(number, subject, day, result, 想说的话=canaries.remark(), 谁录的=canaries.take("name"))
    beside = {heading: canaries.take(kind) for heading, kind in IGNORED.items()}
    return said | beside | {HEADING: canaries.take("mobile")} | more


def _bad(canaries: Canaries, day: date) -> Iterable[dict[str, str]]:
    take = canaries.take
    who, other, third = take("name"), take("name"), take("name")
    yield {"执照上的代码": take("resident")}
    yield {"执照上的代码": take("mobile")}
    yield {"执照上的代码": take("card")}
    yield {"result": f"{who}说没问题", "谁录的": who}
    yield {"能不能上网": f"问{other}", "谁录的": other}
    yield {"哪家查的": third, "谁录的": third}
    yield {"去了谁": f"{take('name')}＋{take('name')}"}
    yield {"去了谁": take("name"), "谁的证": "27010199001"}
    yield {"哪天去的": take("mobile")}
    yield {"哪天查完": take("resident")}
    yield {"啥时候录的": f"{take('name')}录"}
    yield {"派单叫什么": f"样例派单（{take('name')}{take('resident')}）"}
    yield {"年度计划叫什么": f"样例计划{take('mobile')}"}
    yield {"查的啥": f"样例事项{take('home')}"}
    yield {"能不能上网": "别", "不上网的缘由": f"涉及{take('name')}隐私，电话{take('mobile')}"}
    yield {"不上网的缘由": f"{take('name')}，{take('home')}" + "很长" * 300, "能不能上网": "别"}
    yield {"想说的话": f"{take('name')}\x07{take('card')}{take('name')}"}
    yield {"想说的话": canaries.remark() * 3}
    yield {"门面在哪": take("home"), "算哪类": take("mobile")}
    yield {"被查的是谁": take("name"), "执照上的代码": ""}
    yield {"谁牵头": take("mobile")}
    yield {"咱的流水号": ""}
    yield {"怎么选的户": f"抽{take('card')}"}


def workbook(path: Path, found: list[dict[str, str]]) -> None:
    """The rows under the department's headings."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for column, heading in enumerate(found[0]):
            sheet.write_string(0, column, heading)
            for place, row in enumerate(found, 1):
                sheet.write_string(place, column, row[heading])


def remember(canaries: Canaries, secrets: Path) -> None:
    """Everything secret in that file is a canary, too."""
    canaries.planted["secret"] |= set(
        re.findall(r'(?m)^(?:secret|smtp_password|next_secret) = "([^"]+)"', secrets.read_text("utf-8"))
    )
    canaries.planted["secret"] |= set(re.findall(r"key=([\w-]+)", secrets.read_text("utf-8")))


def inspectors(path: Path, names: Iterable[str]) -> None:
    """More names for the list of inspectors."""
    with path.open("a", encoding="utf-8", newline="") as out:
        for n, who in enumerate(names):
            csv.writer(out).writerow((f"27010199{n + 900}", who, new.KEY, "01", "2024-01-01", "2099-12-31", "有效"))
