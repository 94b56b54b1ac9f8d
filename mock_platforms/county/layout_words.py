"""The words departments use for codes: the standard labels, the older sets, and each department's own words.

Belongs here: tables field → code → word. Must not: decisions which department uses which (`Layout.codes`).
"""

from __future__ import annotations

from collections.abc import Mapping

Words = Mapping[str, Mapping[str, str]]

LABELS: Words = {
    "result": {
        "NO_ISSUE": "未发现问题",
        "NOT_PUBLISHED": "未按规定公示应当公示的信息",
        "FALSE_INFO": "公示信息隐瞒真实情况、弄虚作假",
        "UNREACHABLE": "通过登记的住所（经营场所）无法联系",
        "CORRECTED": "发现问题已责令改正",
        "REFUSED": "不配合检查情节严重",
        "NO_ACTIVITY": "未发现开展本次抽查涉及的经营活动",
        "PENDING": "发现问题待后续处理",
    },
    "object_type": {
        "1": "企业、个体户、农专社",
        "2": "自然人",
        "3": "特种设备",
        "4": "特定产品（食品）",
        "5": "特定产品（三种特殊食品）",
        "6": "特定产品（药品）",
        "7": "特定产品（化妆品）",
        "8": "特定产品（医疗器械）",
        "9": "场地场所",
        "10": "非企业",
        "11": "通过监管对象信息要素表上传的其他类型",
    },
    "counterpart_nature": {"01": "公民", "02": "法人", "03": "其他组织"},
    "counterpart_id_type": {"001": "统一社会信用代码", "099": "其他法人或其他组织有效证件号码"},
    "check_form": {"01": "日常检查", "02": "专项检查", "99": "其他"},
    "check_type": {"01": "现场检查", "02": "非现场检查"},
    "check_mode": {"1": "“双随机、一公开”监管", "2": "重点监管", "3": "信用监管"},
    "follow_up": {
        "01": "未发现问题终止检查并向监管对象告知检查结果",
        "02": "发现问题作出责令改正等行政命令",
        "03": "发现问题做出行政指导",
        "04": "发现问题作出行政处罚决定",
        "05": "发现问题作出行政强制决定",
        "06": "发现问题作出其他具体行政行为",
    },
}

# Standard 1.2. A class that a set has no code for is written as its label.
RESULT_SETS: Words = {
    "set:B": {"NO_ISSUE": "1", "NOT_PUBLISHED": "2", "FALSE_INFO": "4", "UNREACHABLE": "5", "REFUSED": "6"},
    "set:C": {
        "NO_ISSUE": "1",
        "NOT_PUBLISHED": "B",
        "FALSE_INFO": "C",
        "UNREACHABLE": "6",
        "CORRECTED": "E",
        "REFUSED": "8",
        "NO_ACTIVITY": "F",
        "PENDING": "A",
    },
    "set:D": {
        "NO_ISSUE": "01",
        "NOT_PUBLISHED": "13",
        "FALSE_INFO": "14",
        "UNREACHABLE": "10",
        "CORRECTED": "02",
        "REFUSED": "04",
        "NO_ACTIVITY": "03",
        "PENDING": "09",
    },
}

OWN: Mapping[str, Words] = {
    "YJJ": {
        "result": {
            "NO_ISSUE": "符合要求",
            "NOT_PUBLISHED": "未公示许可信息",
            "FALSE_INFO": "提供虚假材料",
            "UNREACHABLE": "人去楼空",
            "CORRECTED": "限期整改",
            "REFUSED": "拒绝检查",
            "NO_ACTIVITY": "停产",
            "PENDING": "立案调查",
        },
        "check_kind": {"定向抽查": "定向", "不定向抽查": "不定向", "重点检查": "重点", "个案检查": "举报核查"},
        "follow_up": {"01": "终止", "02": "责改", "03": "指导", "04": "处罚", "05": "强制", "06": "其他行为"},
    },
    "HBJ": {
        "result": {
            "NO_ISSUE": "R10",
            "NOT_PUBLISHED": "R21",
            "FALSE_INFO": "R22",
            "UNREACHABLE": "R23",
            "CORRECTED": "R30",
            "REFUSED": "R40",
            "NO_ACTIVITY": "R50",
            "PENDING": "R60",
        },
        "check_kind": {"定向抽查": "K1", "不定向抽查": "K2", "重点检查": "K3", "个案检查": "K4"},
    },
    "XFJ": {
        "result": {
            "NO_ISSUE": "合格",
            "NOT_PUBLISHED": "未公示",
            "FALSE_INFO": "信息不实",
            "UNREACHABLE": "无法联系",
            "CORRECTED": "责令限期整改",
            "REFUSED": "拒不配合",
            "NO_ACTIVITY": "未营业",
            "PENDING": "不合格",
        },
    },
    "CGJ": {
        "result": {
            "NO_ISSUE": "合格",
            "NOT_PUBLISHED": "未公示",
            "FALSE_INFO": "弄虚作假",
            "UNREACHABLE": "查无此企业",
            "CORRECTED": "当场改正",
            "REFUSED": "阻挠检查",
            "NO_ACTIVITY": "歇业",
            "PENDING": "待处理",
        },
        "check_kind": {
            "定向抽查": "双随机（定向）",
            "不定向抽查": "双随机（不定向）",
            "重点检查": "全覆盖",
            "个案检查": "交办",
        },
    },
    "MZJ": {
        "result": {
            "NO_ISSUE": "正常",
            "NOT_PUBLISHED": "未年报",
            "FALSE_INFO": "虚假公示",
            "UNREACHABLE": "失联",
            "CORRECTED": "责令改正",
            "REFUSED": "不配合",
            "NO_ACTIVITY": "未开业",
            "PENDING": "整改中",
        },
        "area_code": {"610124": "本县"},
    },
    "GAJ": {
        "result": {
            "NO_ISSUE": "达标",
            "NOT_PUBLISHED": "逾期年报",
            "FALSE_INFO": "弄虚作假",
            "UNREACHABLE": "查无下落",
            "CORRECTED": "立行立改",
            "REFUSED": "暴力抗法",
            "NO_ACTIVITY": "无此项业务",
            "PENDING": "移送",
        },
        "check_kind": {
            "定向抽查": "定向检查",
            "不定向抽查": "随机检查",
            "重点检查": "专项全查",
            "个案检查": "警情核查",
        },
    },
}


def words_of(key: str, name: str, mode: str) -> Mapping[str, str]:
    """code → word for one department's field in that mode; empty where codes are written as they are."""
    if mode == "own":
        return OWN[key][name]
    if mode.startswith("set:"):
        return {**LABELS[name], **RESULT_SETS[mode]}
    return LABELS.get(name, {}) if mode == "label" else {}
