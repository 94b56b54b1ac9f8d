"""Records and batches as the contract pages show them, sent by the department SCJG today; a test overrides fields.

Belongs here: samples only. Must not: any import of the mocks or the pipeline.
"""

import copy

from tests.contract.mock_client import COMPANY, OWN, day, fresh, number_of_day, stamp

LEFT_OUT = object()


def changed(record, over):
    """The record with fields replaced; LEFT_OUT removes one."""
    found = {**copy.deepcopy(record), **over}
    return {name: value for name, value in found.items() if value is not LEFT_OUT}


# ① records


def result(**over):
    """The record of the page, as the department SCJG would send it today."""
    record = {
        "recordKey": fresh("610124-SCJG-2026-"),
        "operation": "UPSERT",
        "version": 1,
        "raninsPlanId": "61012420261000",
        "raninsPlaneName": "周至县2026年度部门联合双随机抽查计划",
        "raninsTaskId": "610124202611101001",
        "raninsTaskName": "餐饮服务单位食品安全与燃气安全联合抽查",
        "raninsTypeName": "不定向抽查",
        "caseReason": "",
        "jointCheck": True,
        "leadDept": "周至县市场监督管理局",
        "entName": "周至县样例餐饮有限公司",
        "uniCode": COMPANY,
        "objectType": "1",
        "objectCode": "",
        "insAuth": "周至县市场监督管理局",
        "insAuthCode": OWN,
        "inspectors": [{"name": "张某", "certNo": "27010124001"}, {"name": "李某", "certNo": "27010124002"}],
        "insDate": day(-2),
        "finishDate": day(-1),
        "details": [detail()],
        "publishable": True,
        "notPublishReason": "",
        "enteredBy": "周至县市场监督管理局",
        "enteredByCode": OWN,
        "enteredAt": f"{day(-1)} 17:20:00",
    }
    return changed(record, over)


def detail(**over):
    row = {
        "itemCode": "61012400010001",
        "raninsItemName": "食品安全检查",
        "raninsCheckResName": "未发现问题",
        "remark": "",
    }
    return changed(row, over)


def rating(**over):
    record = {
        "recordKey": fresh("PJ-2026-"),
        "operation": "UPSERT",
        "version": 1,
        "uniCode": COMPANY,
        "entName": "周至县样例餐饮有限公司",
        "scheme": "PUBLIC",
        "grade": "优",
        "score": 88.5,
        "evaluator": "周至县科技和工业信息化局",
        "evaluatorCode": OWN,
        "ratedAt": day(-3),
        "validUntil": "",
        "field": "餐饮",
        "sharedByCode": OWN,
    }
    return changed(record, over)


def withdrawal(key, number, /, **over):
    record = {"recordKey": key, "operation": "WITHDRAW", "version": number, "insAuthCode": OWN, "enteredByCode": OWN}
    return changed({**record, "reason": "录入错误"}, over)


def batch(*records, number=None):
    return {"batchNo": number or fresh("D20261122-SCJG-"), "records": list(records)}


# ② records


def action(**over):
    """One (result, item) record of the page; `cd_id` given in `over` is used for all three keys."""
    key = over.pop("cd_id", None) or f"{fresh('610124-SCJG-2026-')}-61012400010001"
    record = {
        "cd_id": key,
        "cd_operation": "i",
        "cd_time": stamp(),
        "record_unique_identity": key,
        "plan_id": "61012420261000",
        "supervise_item_implement_code": "61012400010001",
        "supervise_item_check_icode": f"{OWN}4000001",
        "check_action_name": "餐饮服务单位联合抽查",
        "check_action_code": key,
        "implement_institution": "周至县市场监督管理局",
        "implement_institution_code": OWN,
        "supervise_object_type": "1",
        "supervise_object": "周至县样例餐饮有限公司",
        "administrative_cp": "周至县样例餐饮有限公司",
        "administrative_cp_na": "02",
        "administrative_cp_ce_type": "001",
        "administrative_cp_ui_code": COMPANY,
        "address_registered": "",
        "address_operating": "周至县二曲街道样例路1号",
        "area_number": "610124",
        "check_form": "02",
        "check_type": "01",
        "check_mode": "1",
        "check_result": "01",
        "check_date": day(-1),
        "check_personnel": "张某,李某",
        "check_personnel_code": "27010124001,27010124002",
        "submitted_date": day(),
        "submitted_personnel": "王某",
    }
    return changed(record, over)


def assessment(**over):
    record = {
        "cd_id": fresh("PJ-2026-"),
        "cd_operation": "i",
        "cd_time": stamp(),
        "enterpriseName": "周至县样例餐饮有限公司",
        "enterpriseIdType": "001",
        "enterpriseCreditCode": COMPANY,
        "enterpriseMark": "88.5",
        "enterpriseType": "优",
        "estimateTime": day(-3),
        "scheme": "PUBLIC",
        "sharedByCode": OWN,
    }
    return changed(record, over)


def cd_batch(*records, number=None, source="610124"):
    return {"cd_batch": number or number_of_day(), "cd_source": source, "records": list(records)}


# ③ records


def publication(**over):
    record = {
        "pubId": fresh("610124-SCJG-2026-"),
        "UniCode": COMPANY,
        "EntName": "周至县样例餐饮有限公司",
        "raninsPlanId": "61012420261000",
        "raninsPlaneName": "年度计划",
        "raninsTaskId": "610124202611101018",
        "raninsTaskName": "联合抽查",
        "raninsTypeName": "不定向抽查",
        "insAuth": "周至县市场监督管理局",
        "insDate": day(-1),
        "details": [{"seqno": 1, "raninsItemName": "食品安全检查", "raninsCheckResName": "未发现问题"}],
        "publicFrom": day(),
        "publicUntil": "",
    }
    return changed(record, over)


def public_rating(**over):
    record = {
        "pubId": fresh("PJ-2026-"),
        "UniCode": COMPANY,
        "EntName": "周至县样例餐饮有限公司",
        "scheme": "PUBLIC",
        "grade": "优",
        "evaluator": "周至县科技和工业信息化局",
        "ratedAt": day(-3),
        "publicFrom": day(),
        "publicUntil": "",
    }
    return changed(record, over)


def pub_batch(*records, **over):
    return changed({"batchId": fresh("P"), "departmentCode": OWN, "records": list(records)}, over)


def stops(*items, **over):
    return changed({"departmentCode": OWN, "items": list(items)}, over)


def stop(pub_id, **over):
    item = {"pubId": pub_id, "reason": "REPAIRED", "basis": "周信修〔2026〕1号", "decidedAt": day()}
    return changed(item, over)
