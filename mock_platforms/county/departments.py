"""The 25 departments of the county as a table, and how each of them works.

Belongs here: keys, names, codes, how records are numbered, what kind of subject a department inspects, who leads whom.
Must not: native headings (`layouts`), random choices (`world`).
"""

from __future__ import annotations

from mock_platforms.county.model import Dept

COUNTY = "610124"
COUNTY_NAME = "周至县"
HOST = "SCJG"
CREDIT_LEAD = "KGJ"

# key | full name | short name | codes of table 监管部门 | USCC
TABLE = """\
SCJG|周至县市场监督管理局|县市场监管局|31,72,73|11610124YY90000164
XCB|中共周至县委宣传部|县委宣传部|39,40,98|11610124YY9000024Y
BB|中共周至县委机构编制委员会办公室|县委编办|99|11610124YY9000032R
FGW|周至县发展和改革委员会|县发改委|04,59,60|11610124YY9000040L
JYJ|周至县教育局|县教育局|05|11610124YY9000059H
KGJ|周至县科技和工业信息化局|县科技工信局|07,06|11610124YY9000067C
GAJ|周至县公安局|县公安局|09|11610124YY90000757
MZJ|周至县民政局|县民政局|11|11610124YY90000832
SFJ|周至县司法局|县司法局|12|11610124YY9000091W
CZJ|周至县财政局|县财政局|13|11610124YY9000104J
RSJ|周至县人力资源和社会保障局|县人社局|14|11610124YY9000112D
ZGJ|周至县自然资源和规划局|县资源规划局|15,64|11610124YY90001208
ZJJ|周至县住房和城乡建设局|县住建局|17|11610124YY90001395
CGJ|周至县城市管理和综合执法局|县城管局|17|11610124YY90001470
JTJ|周至县交通运输局|县交通局|18|11610124YY9000155T
SWJ|周至县水务局|县水务局|19|11610124YY9000163M
NYJ|周至县农业农村局|县农业农村局|20|11610124YY9000171G
WLJ|周至县文化和旅游局|县文化旅游局|22,68,32|11610124YY900018X8
WJJ|周至县卫生健康局|县卫生健康局|23,69|11610124YY90001988
YJJ|周至县应急管理局|县应急管理局|25,97|11610124YY9000200U
YBJ|周至县医疗保障局|县医疗保障局|36|11610124YY9000219Q
SPJ|周至县行政审批服务局|县行政审批局|99|11610124YY9000227K
SHUIJ|国家税务总局周至县税务局|县税务局|30|11610124YY9000235E
HBJ|西安市生态环境局周至分局|县生态环境局|16|11610124YY90002439
XFJ|周至县消防救援大队|县消防救援局||11610124YY90002514
"""
_ROWS = [line.split("|") for line in TABLE.splitlines()]
DEPARTMENTS = tuple(Dept(key, name, short, code) for key, name, short, _, code in _ROWS)
BY_KEY = {d.key: d for d in DEPARTMENTS}
NUMBER_OF = {
    d.key: n for n, d in enumerate(DEPARTMENTS, 1)
}  # the department's number inside item and certificate codes

SILENT = ("XCB", "BB")  # 零报送: nothing to report
REPORTING = tuple(d.key for d in DEPARTMENTS if d.key not in SILENT)

# How a department keeps its results. A database and an http source show only the newest state of a record;
# 民政 hands in one cumulative workbook; all other files hold one day's entries and changes.
DATABASE = ("SCJG", "YJJ", "WJJ", "ZJJ", "HBJ", "SHUIJ", "RSJ", "JYJ", "XFJ")
WORKBOOK = ("CGJ", "NYJ", "WLJ", "JTJ", "SWJ", "ZGJ", "YBJ")
CUMULATIVE = ("MZJ",)
CSV = ("KGJ", "GAJ", "CZJ", "FGW")
HTTP = ("SPJ", "SFJ")
DAILY_FILE = WORKBOOK + CSV
NEWEST_ONLY = DATABASE + HTTP + CUMULATIVE

# What a department calls a record; 1–18 of [A-Za-z0-9_-]. {y} year, {d} yyyymmdd, {n} serial within the department.
RECORD_NUMBERS = {
    "SCJG": "{y}-{n:07d}",
    "FGW": "FGW{y}{n:06d}",
    "JYJ": "jy_{y}_{n:06d}",
    "KGJ": "KG-{y}-{n:06d}",
    "GAJ": "{y}{n:08d}",
    "MZJ": "MZ{y}{n:05d}",
    "SFJ": "S{y}-{n:06d}",
    "CZJ": "cz{y}{n:06d}",
    "RSJ": "{y}RS{n:07d}",
    "ZGJ": "ZG-{n:08d}",
    "ZJJ": "ZJ{y}-{n:07d}",
    "CGJ": "CG{d}-{n:06d}",
    "JTJ": "J{y}_{n:06d}",
    "SWJ": "SW{y}-{n:05d}",
    "NYJ": "NY-{y}-{n:05d}",
    "WLJ": "WL{y}{n:06d}",
    "WJJ": "WS-{y}{n:07d}",
    "YJJ": "AJ{y}-{n:06d}",
    "YBJ": "YB_{n:08d}",
    "SPJ": "sp-{n:09d}",
    "SHUIJ": "{y}{n:09d}",
    "HBJ": "HB{y}-{n:06d}",
    "XFJ": "XF-{y}-{n:06d}",
}

# Subject kinds a department inspects, with weights; every other department inspects plain market entities.
_PLAIN = {"company": 6, "self_employed": 3, "cooperative": 1}
SUBJECT_KINDS: dict[str, dict[str, int]] = {
    "SCJG": {"company": 5, "self_employed": 5, "cooperative": 1, "lift": 2},
    "JYJ": {"school": 6, "private_school": 3, "company": 2},
    "WJJ": {"hospital": 5, "company": 2, "self_employed": 3},
    "ZJJ": {"site": 4, "self_built": 3, "company": 3},
    "MZJ": {"private_school": 3, "hospital": 1, "company": 4},
    "NYJ": {"cooperative": 6, "company": 2, "self_employed": 3},
    "XFJ": {"company": 5, "self_employed": 3, "school": 1, "site": 1},
    "YBJ": {"hospital": 5, "company": 4},
}

# Joint inspections after the composed rows of standard §7: lead, helpers, what is checked, which subjects.
JOINT = (
    ("SCJG", ("CGJ", "XFJ"), "餐饮食品安全与燃气安全联合检查", "self_employed"),
    ("SCJG", ("YBJ", "WJJ"), "药品经营企业联合检查", "company"),
    ("YJJ", ("GAJ", "JTJ", "HBJ", "SCJG"), "危险化学品经营企业联合检查", "company"),
    ("KGJ", ("SCJG", "YJJ", "SHUIJ"), "加油站经营联合检查", "company"),
    ("JYJ", ("SCJG", "XFJ", "GAJ"), "校外培训机构联合检查", "private_school"),
    ("WLJ", ("SCJG",), "旅行社联合检查", "company"),
    ("NYJ", ("SCJG",), "农药经营联合检查", "cooperative"),
    ("MZJ", ("WJJ", "SCJG", "XFJ"), "养老机构服务与食堂联合检查", "company"),
    ("ZJJ", ("RSJ", "YJJ"), "工程质量与农民工工资联合检查", "site"),
)

# What each department checks (short names of 检查事项); the last of each row is cancelled in the list.
MATTERS = {
    "SCJG": "食品安全检查 登记事项检查 公示信息检查 电梯使用检查 价格行为检查 计量器具检查 广告行为检查 旧版标识检查",
    "FGW": "粮食收购检查 能源使用检查 项目备案检查 价格成本检查 储备管理检查 旧版节能检查",
    "JYJ": "办学条件检查 校车安全检查 校外培训检查 食堂管理检查 收费公示检查 旧版办学检查",
    "KGJ": "成品油经营检查 单用途预付卡检查 民爆物品检查 技术合同检查 散装水泥检查 旧版商务检查",
    "GAJ": "保安服务检查 旅馆业治安检查 危化品流向检查 印章业检查 大型活动检查 旧版治安检查",
    "MZJ": "养老机构服务检查 社会团体年检检查 民办非企业检查 殡葬服务检查 福利彩票检查 旧版社团检查",
    "SFJ": "律师事务所检查 公证机构检查 司法鉴定检查 法律服务所检查 旧版法律服务检查",
    "CZJ": "代理记账检查 会计信息质量检查 政府采购代理检查 资产评估检查 旧版会计检查",
    "RSJ": "劳动用工检查 工资支付检查 人力资源服务检查 社会保险检查 劳务派遣检查 旧版用工检查",
    "ZGJ": "矿产开采检查 用地行为检查 测绘成果检查 林木采伐检查 规划许可检查 旧版用地检查",
    "ZJJ": "工程质量检查 施工安全检查 房屋租赁检查 自建房安全检查 物业服务检查 旧版工程检查",
    "CGJ": "燃气经营检查 市容环境检查 户外广告检查 建筑垃圾检查 餐饮油烟检查 旧版市容检查",
    "JTJ": "道路运输检查 机动车维修检查 驾驶培训检查 公路养护检查 货运源头检查 旧版运输检查",
    "SWJ": "取水许可检查 河道采砂检查 水土保持检查 供水单位检查 节约用水检查 旧版取水检查",
    "NYJ": "农药经营检查 种子质量检查 兽药经营检查 饲料生产检查 动物防疫检查 旧版农资检查",
    "WLJ": "旅行社检查 娱乐场所检查 网吧检查 文物保护检查 营业性演出检查 旧版旅游检查",
    "WJJ": "医疗机构检查 公共场所卫生检查 职业卫生检查 消毒产品检查 饮用水卫生检查 旧版卫生检查",
    "YJJ": "危险化学品检查 烟花爆竹检查 安全培训检查 工贸企业检查 应急预案检查 旧版安全检查",
    "YBJ": "定点医疗机构检查 定点药店检查 医保基金使用检查 药品采购检查 旧版医保检查",
    "SPJ": "许可事后核查检查 告知承诺检查 中介服务检查 档案管理检查 旧版许可检查",
    "SHUIJ": "发票使用检查 纳税申报检查 涉税中介检查 出口退税检查 税务登记检查 旧版发票检查",
    "HBJ": "排污许可检查 危险废物检查 大气污染检查 噪声污染检查 在线监测检查 旧版排污检查",
    "XFJ": "消防设施检查 疏散通道检查 消防产品检查 技术服务机构检查 用火用电检查 旧版消防检查",
}


def subject_kinds(key: str) -> dict[str, int]:
    """Kinds of subjects the department inspects → weight."""
    return SUBJECT_KINDS.get(key, _PLAIN)
