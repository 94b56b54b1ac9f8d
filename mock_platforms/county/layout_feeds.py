"""The four departments that hand in CSV files and the two that answer over HTTP: headings and habits.

Belongs here: one declaration a department. Must not: rendering, serving.
"""

from __future__ import annotations

from mock_platforms.county.layout_model import layout

CSVS = (
    layout(
        "KGJ",
        "csv",
        """检查编号:record_no 计划编号:plan_id 计划名称:plan_name 任务编号:task_id 任务名称:task_name 抽查类型:check_kind 个案检查事由:case_reason
        联合检查:joint 牵头部门:lead_dept 企业名称:subject_name 社会信用代码:uscc 对象类型:object_type 对象编号:object_code
        相对人性质:counterpart_nature 经营地址:address_operating 行政区划:area_code 检查人员:inspector_names 证件号:inspector_certs
        检查日期:inspect_date 完成日期:finish_date 检查形式:check_form 检查类别:check_type 检查方式:check_mode 可否公示:publishable
        不予公示理由:not_publish_reason 录入人:entered_by 录入时间:entered_at 检查事项编码:item_code 检查事项名称:item_name
        实施清单:implement_code 检查结果:result 处理结果:follow_up 备注:remark 检查单位:@owner 数据有效性:@void 变更时间:changed_at 备注2:@note""",
        file="kgj_jcjg_{day:%Y%m%d}.csv",
        encoding="gb18030",
        void=("有效", "作废"),
    ),
    layout(
        "GAJ",
        "csv",
        """检查单编号:record_no 计划序号:plan_id 计划标题:plan_name 任务序号:task_id 任务标题:task_name 检查缘起:check_kind 警情或线索:case_reason
        会同检查:joint 会同牵头:lead_dept 单位名称:subject_name 单位代码:uscc 单位类别:object_type 场所备案号:object_code 单位性质:counterpart_nature
        单位地址:address_operating 辖区代码:area_code 民警:inspector_names 民警执法证:inspector_certs 检查日期:inspect_date 结案日期:finish_date
        检查形式:check_form 检查类别:check_type 检查方式:check_mode 公示:publishable 不公示事由:not_publish_reason 录入民警:entered_by
        录入时间:entered_at 事项编号:item_code 事项内容:item_name 检查结论:result 处置方式:follow_up 附记:remark 主办单位:@owner 撤销标记:@void
        更新时间:changed_at""",
        file="治安检查{day:%Y%m%d}.csv",
        encoding="gb18030",
        codes={"result": "own", "check_kind": "own"},
        dates="slash",
        yes_no=("1", "0"),
        void=("0", "1"),
        owner="name",
        separator=";",
    ),
    layout(
        "CZJ",
        "csv",
        """序号:@seq 财政检查编号:record_no 检查计划编号:plan_id 检查计划名称:plan_name 检查任务编号:task_id 检查任务名称:task_name 检查选取:check_kind
        专案事由:case_reason 联合检查否:joint 联合牵头单位:lead_dept 被查单位:subject_name 被查单位代码:uscc 被查单位类型:object_type
        预算编码:object_code 被查单位性质:counterpart_nature 被查单位地址:address_operating 被查单位区划:area_code 检查组成员:inspector_names
        成员证号:inspector_certs 进点日:inspect_date 撤点日:finish_date 检查形式:check_form 检查类别:check_type 检查方式:check_mode
        公告:publishable 不公告理由:not_publish_reason 制表:entered_by 制表时间:entered_at 检查事项编码:item_code 检查事项:item_name
        检查评价:result 检查备注:remark 组织单位:@owner 作废标识:@void 修改时点:changed_at""",
        file="财政检查_{day:%Y%m%d}.csv",
        encoding="utf-8-sig",
        codes={"check_mode": "label", "check_form": "label"},
        dates="dots",
        void=("否", "是"),
    ),
    layout(
        "FGW",
        "csv",
        """发改检查号:record_no 计划文号:plan_id 计划名称:plan_name 任务文号:task_id 任务名称:task_name 抽查种类:check_kind 来件事由:case_reason
        是否会同:joint 会同牵头单位:lead_dept 项目或企业:subject_name 企业代码:uscc 项目类型:object_type 项目代码:object_code
        单位属性:counterpart_nature 建设地点:address_operating 建设区划:area_code 稽察人员:inspector_names 稽察证号:inspector_certs
        稽察日期:inspect_date 稽察完成:finish_date 稽察形式:check_form 稽察类别:check_type 稽察方式:check_mode 是否公布:publishable
        不公布理由:not_publish_reason 承办人:entered_by 承办录入时间:entered_at 稽察事项码:item_code 稽察事项:item_name 稽察实施码:implement_code
        稽察结果:result 稽察说明:remark 稽察单位:@owner 记录标志:@void 记录更新:changed_at 打印时间:@printed""",
        file="发改稽察{day:%Y-%m-%d}.csv",
        encoding="utf-8-sig",
        delimiter=";",
        dates="chinese",
        void=("1", "0"),
        guard=frozenset({"uscc", "plan_id", "task_id", "item_code"}),
    ),
)

HTTPS = (
    layout(
        "SPJ",
        "http",
        """innerId:@key checkNo:record_no planId:plan_id planName:plan_name taskId:task_id taskName:task_name checkKind:check_kind
        caseReason:case_reason joint:joint leadDept:lead_dept subjectName:subject_name creditCode:uscc objectType:object_type
        objectCode:object_code partyNature:counterpart_nature address:address_operating areaCode:area_code inspectors:inspector_names
        certNos:inspector_certs checkDate:inspect_date finishDate:finish_date checkForm:check_form checkType:check_type checkMode:check_mode
        canPublish:publishable noPublishReason:not_publish_reason operator:entered_by createdAt:entered_at itemCode:item_code
        implementCode:implement_code resultKey:result disposal:follow_up remark:remark checkOrg:@owner deleted:@void updatedAt:changed_at""",
        codes={"result": "standard"},
        yes_no=("true", "false"),
        void=("0", "1"),
        owner="name",
        separator=",",
        paging="page",
        rows_key="rows",
    ),
    layout(
        "SFJ",
        "http",
        """row_id:@key jc_no:record_no jh_no:plan_id jh_name:plan_name rw_no:task_id rw_name:task_name cc_type:check_kind case_note:case_reason
        is_joint:joint lead_org:lead_dept org_name:subject_name org_code:uscc org_type:object_type org_no:object_code org_nature:counterpart_nature
        org_addr:address_operating region:area_code checkers:inspector_names checker_certs:inspector_certs check_day:inspect_date
        done_day:finish_date form:check_form kind:check_type mode:check_mode open_flag:publishable close_reason:not_publish_reason
        input_by:entered_by input_at:entered_at matter_code:item_code matter_name:item_name conclusion:result note:remark
        do_org:@owner state:@void modified:changed_at print_time:@printed""",
        dates="slash",
        yes_no=("Y", "N"),
        void=("normal", "void"),
        paging="cursor",
        rows_key="list",
    ),
)
