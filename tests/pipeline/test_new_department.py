"""A 26th department comes with one TOML file and one code map, in headings and words that nobody has seen.

Belongs here: what an operator does for a new department, and what then reaches the platforms in its name. Must not: code for it.
The platforms learn of it as they learn of every department: by a credential. Its lists (items, inspectors, plan) are the county's.
"""

import csv
import json
from datetime import timedelta

import pytest
import xlsxwriter

from mock_platforms.county.departments import DEPARTMENTS
from tests.pipeline import harness, troubles

KEY, NAME, USCC = "XXJ", "周至县样例新设局", "11610124YY900026XU"
ONE, TWO, THREE = harness.PLATFORMS
ITEMS = {"61012400990001": "样例场所秩序核查", "61012400990002": "样例设施完好核查"}
PEOPLE = {"27010199001": "样例甲", "27010199002": "样例乙"}
PLAN = "61012420269901"
SHOP, FARM = ("周至县样例新店有限公司", "91610124YY000001XB"), ("周至县样例农民专业合作社", "93610124YY00000360")

TOML = f"""
key = "{KEY}"
name = "{NAME}"
short = "县样例新设局"
uscc = "{USCC}"
ignore = ["天气"]
owner_column = "哪家查的"
void_column = "这条还算数吗"
void_values = ["不算"]

[source]
kind = "workbook"
pattern = "核查流水*.xlsx"
day_pattern = '(\\d{{8}})'
header_contains = ["咱的流水号", "查出了什么"]
"""
COLUMNS = """
record_no 咱的流水号 | plan_id 年度计划号 | plan_name 年度计划叫什么 | task_id 派单号 | task_name 派单叫什么 | check_kind 怎么选的户 map
joint 几家一起吗 | lead_dept 谁牵头 | subject_name 被查的是谁 | uscc 执照上的代码 | object_type 算哪类 standard
counterpart_nature 对方性质 standard | address_operating 门面在哪 | area_code 哪个区县 standard | inspector_names 去了谁 ＋
inspector_certs 谁的证 ＋ | inspect_date 哪天去的 | finish_date 哪天查完 | check_form 例行还是专项 standard
check_type 到场没有 standard | check_mode 按什么查 standard | publishable 能不能上网 map | not_publish_reason 不上网的缘由
entered_by 谁录的 | entered_at 啥时候录的 | item_code 查的事项号 | item_name 查的啥 | result 查出了什么 map | remark 想说的话
"""
MAP = [
    ("check_kind", "抽签", "不定向抽查"), ("publishable", "能", "true"), ("publishable", "别", "false"),
    ("result", "没毛病", "NO_ISSUE"), ("result", "叫他改了", "CORRECTED"), ("result", "人没在", "UNREACHABLE"),
]  # fmt: skip


def _columns():
    """(standard field, its heading, how it is read) of each column."""
    for part in COLUMNS.replace("\n", "|").split("|"):
        if part.strip():
            name, heading, *how = part.split()
            yield name, heading, (how or [""])[0]


def _toml():
    parts = [TOML]
    for name, heading, how in _columns():
        more = {"": "", "＋": 'split = "＋"'}.get(how, f'codes = "{how}"')
        parts.append(f'[columns.{name}]\nheading = "{heading}"\n{more}\n')
    return "\n".join(parts)


def _append(path, rows):
    with path.open("a", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows(rows)


def _credentials(county):
    """One more credential on each platform, as its operator hands it out, and the same in our secrets."""
    path = county.dir / "credentials.json"
    given = json.loads(path.read_text("utf-8"))
    secrets = county.dir / "secrets.toml"
    text = secrets.read_text("utf-8")
    for number, platform in enumerate(harness.PLATFORMS):
        app, secret = f"{platform}-new", f"{number}123456789abcdef" * 2
        entry = {"platform": platform, "department": KEY, "app_id": app, "secret": secret, "suspended": False}
        given.append(entry | {"department_uscc": USCC, "department_name": NAME})
        text += f'\n[{platform}.{KEY}]\napp_id = "{app}"\nsecret = "{secret}"\n'
    path.write_text(json.dumps(given), "utf-8")
    secrets.write_text(text, "utf-8")


def _lists(county, day):
    lists = county.dir / "lists"
    items = [
        (code, name, KEY, f"{USCC}4{n:06}", "在用", "一般检查事项", "否")
        for n, (code, name) in enumerate(ITEMS.items())
    ]
    _append(lists / "items.csv", items)
    _append(
        lists / "inspectors.csv", [(c, n, KEY, "01", "2024-01-01", "2099-12-31", "有效") for c, n in PEOPLE.items()]
    )
    _append(lists / "plans.csv", [(PLAN, "样例新设局年度计划", KEY, str(day.year))])
    span = ((day - timedelta(days=20)).isoformat(), (day + timedelta(days=20)).isoformat())
    _append(lists / "tasks.csv", [(_task(day), PLAN, "样例新设局派单", KEY, KEY, *span)])


def _task(day):
    return f"610124{day:%Y%m%d}9901"


def _row(number, subject, day, result, item="61012400990001", **more):
    """One line of the department's book by standard field; `more` by heading."""
    said = {
        "record_no": number, "plan_id": PLAN, "plan_name": "样例新设局年度计划", "task_id": _task(day), "task_name": "样例新设局派单",
        "check_kind": "抽签", "joint": "否", "lead_dept": NAME, "subject_name": subject[0], "uscc": subject[1],
        "object_type": "1" if subject is SHOP else "3", "counterpart_nature": "02", "address_operating": "周至县样例路1号",
        "area_code": "610124", "inspector_names": "样例甲＋样例乙", "inspector_certs": "27010199001＋27010199002",
        "inspect_date": f"{day.year}年{day.month}月{day.day}日", "finish_date": day.strftime("%Y.%m.%d"), "check_form": "01",
        "check_type": "01", "check_mode": "1", "publishable": "能", "not_publish_reason": "", "entered_by": "样例丙",
        "entered_at": f"{day} 17:20:00", "item_code": item, "item_name": ITEMS[item], "result": result, "remark": "",
    }  # fmt: skip
    named = {heading: said[name] for name, heading, _ in _columns()}
    return named | {"哪家查的": NAME, "这条还算数吗": "算", "天气": "晴"} | more


def _workbook(county, day):
    """The department's own form: a title, unseen headings, one check of two items, one withheld, one that nobody understands."""
    rows = [
        _row("X-0001", SHOP, day, "没毛病"),
        _row("X-0002", FARM, day, "叫他改了"),
        _row("X-0002", FARM, day, "没毛病", "61012400990002"),
        _row("X-0003", SHOP, day, "人没在", 能不能上网="别", 不上网的缘由="涉及商业秘密"),
        _row("X-0004", FARM, day, "说不清楚"),
        _row("X-0005", FARM, day, "没毛病", 这条还算数吗="不算"),
        _row("S-0001", SHOP, day, "没毛病", 哪家查的="周至县市场监督管理局"),
    ]
    folder = county.dir / "inbox" / KEY
    folder.mkdir(parents=True)
    with xlsxwriter.Workbook(folder / f"核查流水{day:%Y%m%d}.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.write(0, 0, "样例新设局核查流水（内部用）")
        for column, heading in enumerate(rows[0]):
            sheet.write(2, column, heading)
            for place, row in enumerate(rows, 3):
                sheet.write_string(place, column, row[heading])


def _join(county, config):
    """All that an operator does. The first two lines are the department; the rest is its data and its credentials."""
    (config / "departments" / f"{KEY}.toml").write_text(_toml(), "utf-8")
    _append_map(config / "codes" / "departments" / f"{KEY}.csv")
    _credentials(county)
    _lists(county, county.days[-1])
    _workbook(county, county.days[-1])


def _append_map(path):
    path.write_text("字段,原值,标准值,类型,说明\n", "utf-8")
    _append(path, [(field, raw, code, "同义", "县样例新设局确认") for field, raw, code in MAP])


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """A county of 26 that has slept one night, by the commands of an operator."""
    with harness.town(tmp_path_factory.mktemp("new"), seed=5, days=1, scale=0.05, prepare=_join) as made:
        made.county.apply(made.county.days[0])
        made.doctor = troubles.zz(made, "doctor", "--json")
        made.sync = troubles.zz(made, "sync", "--day", made.county.days[0].isoformat(), "--json")
        made.held = {p: harness.held(made.mocks, p) for p in harness.PLATFORMS}
        yield made


def _of(town, platform):
    return {key: e for key, e in town.held[platform].items() if e["department"] == KEY}


def test_nobody_has_seen_the_department_its_headings_or_its_words():
    shipped = [p for p in (harness.ROOT / "config").rglob("*") if p.is_file()]
    texts = "\n".join(p.read_text("utf-8") for p in shipped)
    assert KEY not in {d.key for d in DEPARTMENTS}
    headings = [heading for _, heading, _ in _columns()]
    assert [h for h in headings if f'"{h}"' in texts] == []
    assert [raw for _, raw, _ in MAP if f",{raw}," in texts] == []


def test_the_doctor_finds_nothing_amiss_with_it(town):
    code, said = town.doctor
    found = json.loads(said)["findings"]
    assert (code, [f for f in found if not f["ok"]]) == (0, [])
    assert {f["what"] for f in found} >= {"县样例新设局 凭证", "县样例新设局 来源"}
    assert next(f for f in found if f["what"] == "配置")["text"].endswith("26 个部门")


def test_its_night_is_balanced_and_complete(town):
    code, said = town.sync
    told = json.loads(said)
    assert (code, told["balanced"], told["complete"]) == (0, True, True)
    (own,) = [d for d in told["departments"] if d["dept"] == KEY]
    assert (own["pulled"], own["accepted"], own["quarantined"]) == (5, 3, 2)


def test_its_records_are_on_the_three_platforms_in_its_own_name(town):
    keys = {f"610124-{KEY}-X-000{n}" for n in (1, 2, 3)}
    assert set(_of(town, ONE)) == keys
    assert set(_of(town, THREE)) == {k for k in keys if not k.endswith("3")}
    actions = [f"610124-{KEY}-X-000{n}-{item}" for n, item in ((1, 1), (2, 1), (2, 2), (3, 1))]
    assert set(_of(town, TWO)) == {f"{k[:-1]}6101240099000{k[-1]}" for k in actions}
    for platform in harness.PLATFORMS:
        foreign = [k for k, e in town.held[platform].items() if f"-{KEY}-" in k and e["department"] != KEY]
        assert foreign == []


def test_its_words_have_become_the_labels_and_codes_of_the_contracts(town):
    one = _of(town, ONE)
    labels = {k[-1]: [dict(d)["raninsCheckResName"] for d in e["content"]["details"]] for k, e in one.items()}
    assert labels["1"] == ["未发现问题"]
    assert sorted(labels["2"]) == ["发现问题已责令改正", "未发现问题"]
    assert labels["3"] == ["通过登记的住所（经营场所）无法联系"]
    hidden = one[f"610124-{KEY}-X-0003"]["content"]
    assert (hidden["publishable"], hidden["notPublishReason"]) == (False, "涉及商业秘密")
    assert {e["content"]["insAuthCode"] for e in one.values()} == {USCC}
    assert {e["content"]["check_result"] for e in _of(town, TWO).values()} == {"01", "02", "06"}


def test_what_it_wrote_that_nobody_understands_goes_back_to_it_with_the_reason(town):
    returned = {number: rules for (_, dept, number), rules in harness.returned(town).items() if dept == KEY}
    assert set(returned) == {"X-0004", "X-0005"}
    assert "STD-001" in returned["X-0004"]
    assert "STD-008" in returned["X-0005"]
    assert [p.suffix for p in (town.home / "returned" / KEY).rglob("退回清单*")] == [".xlsx"]
