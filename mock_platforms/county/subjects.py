"""Who and what is inspected in the sample county: invented companies, schools, sites, lifts.

Belongs here: the kinds of subjects as a table, and drawing them from a seed.
Must not: departments, inspections; any real name, address or code (USCC come from the sample block YY).
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from mock_platforms.county.codes import chinese_serial, uscc

_TOWNS = """
二曲街道 哑柏镇 终南镇 马召镇 集贤镇 楼观镇 尚村镇 广济镇 厚畛子镇 青化镇
竹峪镇 翠峰镇 四屯镇 司竹镇 九峰镇 富仁镇 骆峪镇 陈河镇 板房子镇 王家河镇
"""
TOWNS = tuple(_TOWNS.split())
# 周至 enterprises also carry the city's, the province's, the state's or a neighbour's region (standard 4.1): lawful.
OTHER_REGIONS = ("610100", "610000", "100000", "610326")


@dataclass(frozen=True, slots=True)
class Subject:
    """An inspected subject; `uscc` or `object_code` is given, `body` is a lift's or site's responsible company."""

    kind: str
    name: str
    uscc: str
    object_type: str
    object_code: str
    nature: str
    address: str
    region: str = "610124"
    body_name: str = ""
    body_code: str = ""

    @property
    def market(self) -> bool:
        """Whether it is a registered market entity (USCC 91, 92, 93): only these are ever public."""
        return self.uscc[:2] in ("91", "92", "93")


@dataclass(frozen=True, slots=True)
class _Kind:
    share: int  # of the county's subjects, in thousandths
    prefix: str  # USCC category, "" where there is no USCC
    object_type: str  # table 监管行为监管对象类型
    nature: str  # table 行政相对人性质
    names: tuple[str, ...]  # {n} = Chinese serial


KINDS = {
    "company": _Kind(
        450,
        "91",
        "1",
        "02",
        (
            "周至县样例{n}餐饮有限公司",
            "周至县样例{n}商贸有限公司",
            "周至县样例{n}药房有限公司",
            "周至县样例{n}建筑工程有限公司",
            "周至县样例{n}物流有限公司",
            "周至县样例（{town}）{n}食品有限公司",
        ),
    ),
    "self_employed": _Kind(200, "92", "1", "03", ("周至县样例{n}小吃店", "周至县样例{n}超市", "周至县样例{n}理发店")),
    "cooperative": _Kind(
        80, "93", "1", "02", ("周至县样例{n}猕猴桃专业合作社", "周至县样例（{town}）{n}养殖专业合作社")
    ),
    "school": _Kind(60, "12", "10", "02", ("周至县样例{n}小学", "周至县样例{n}初级中学")),
    "private_school": _Kind(50, "52", "10", "02", ("周至县样例{n}幼儿园", "周至县样例{n}培训学校")),
    "hospital": _Kind(50, "12", "10", "02", ("周至县样例{n}卫生院", "周至县样例{n}医院")),
    "site": _Kind(40, "", "9", "03", ("周至县样例{n}工程施工现场",)),
    "self_built": _Kind(30, "", "9", "03", ("周至县样例{n}经营性自建房",)),
    "lift": _Kind(30, "", "3", "02", ("周至县样例{n}小区客梯",)),
    "old_school": _Kind(10, "", "10", "03", ("周至县样例{n}教学点",)),
}
_WITH_BODY = ("lift", "site")


def draw(seed: int, count: int) -> dict[str, list[Subject]]:
    """About `count` subjects by kind, the same for the same seed; at least eight of each kind."""
    rng = Random(f"{seed}/subjects")
    found: dict[str, list[Subject]] = {}
    serial = 1 + rng.randrange(1000)
    for kind, row in KINDS.items():
        found[kind] = []
        for _ in range(max(8, count * row.share // 1000)):
            found[kind].append(_subject(rng, kind, row, serial, found["company"]))
            serial += 1
    return found


def _subject(rng: Random, kind: str, row: _Kind, serial: int, companies: list[Subject]) -> Subject:
    town = rng.choice(TOWNS)
    name = rng.choice(row.names).format(n=chinese_serial(serial, 6), town=town)
    region = rng.choice(OTHER_REGIONS) if row.prefix == "91" and rng.random() < 0.1 else "610124"
    body = rng.choice(companies) if kind in _WITH_BODY else None
    return Subject(
        kind=kind,
        name=name,
        uscc=uscc(row.prefix, region, f"YY{serial:06d}") if row.prefix else "",
        object_type=row.object_type,
        object_code="" if row.prefix else f"YLDX-610124-{serial:06d}",
        nature=row.nature,
        address=f"周至县{town}样例路{1 + rng.randrange(300)}号",
        region=region,
        body_name=body.name if body else "",
        body_code=body.uscc if body else "",
    )
