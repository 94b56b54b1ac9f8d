"""The eight departments that hand in workbooks: headings, title and note rows, habits.

Belongs here: one declaration a department. Must not: rendering, cell formats.
"""

from __future__ import annotations

from mock_platforms.county.layout_model import layout

_NOTES = ("填表说明：1. 一户一号，同一户的多个检查事项各占一行。", "2. 检查结果按事项填写，不得空项。")

WORKBOOKS = (
    layout(
        "CGJ",
        "workbook",
        """序号:@seq 检查记录号:record_no 计划编号:plan_id 计划名称:plan_name 任务编号:task_id 任务名称:task_name 类型:check_kind
        线索来源:case_reason 联合执法:joint 牵头:lead_dept 商户（单位）名称:subject_name 统一代码:uscc 对象类型:object_type 对象编码:object_code
        性质:counterpart_nature 经营地点:address_operating 区划:area_code 执法人员:inspector_names 执法证:inspector_certs
        检查时间:inspect_date 办结时间:finish_date 形式:check_form 类别:check_type 方式:check_mode 公示:publishable 不公示说明:not_publish_reason
        经办人:entered_by 录入时间:entered_at 修改日期:changed_at 状态:@void
        事项编码:item_code 事项名称:item_name 检查情况:result 处理:follow_up 备注:remark 检查单位:@owner 备注2:@note""",
        file="城管检查结果{day:%Y%m%d}.xlsx",
        titles=("周至县城市管理和综合执法局检查结果汇总表", "填报单位：县城管局"),
        notes=_NOTES,
        merged=True,
        codes={"result": "own", "check_kind": "own"},
        dates="chinese",
        void=("", "作废"),
    ),
    layout(
        "NYJ",
        "workbook",
        """编号:record_no 计划代码:plan_id 计划:plan_name 任务代码:task_id 任务:task_name 抽查类别:check_kind 个案说明:case_reason
        是否联合检查:joint 牵头部门:lead_dept 生产经营主体:subject_name 主体代码:uscc 主体类型:object_type 主体编号:object_code
        主体性质:counterpart_nature 生产经营地址:address_operating 行政区划:area_code 农业执法人员:inspector_names 执法证编号:inspector_certs
        检查日期:inspect_date 完成时间:finish_date 检查形式:check_form 现场或非现场:check_type 检查方式:check_mode 能否公示:publishable
        不能公示的理由:not_publish_reason 填表人:entered_by 填表时间:entered_at 检查项目编码:item_code 检查项目:item_name
        项目实施编码:implement_code 检查结果:result 处理结果:follow_up 其他说明:remark 实施单位:@owner 是否有效:@void 改动时间:changed_at
        打印时间:@printed""",
        file="农业农村局_{day:%Y%m%d}_检查.xlsx",
        titles=("农业农村领域检查结果",),
        codes={"check_type": "label", "object_type": "label"},
        dates="slash",
        void=("是", "否"),
        separator="，",
    ),
    layout(
        "WLJ",
        "workbook",
        """序号:@seq 文旅检查编号:record_no 双随机计划编号:plan_id 双随机计划名称:plan_name 双随机任务编号:task_id 双随机任务名称:task_name
        抽查方式:check_kind 举报事由:case_reason 联合:joint 牵头局:lead_dept 场所名称:subject_name 场所信用代码:uscc 场所类型:object_type
        场所编码:object_code 经营者性质:counterpart_nature 场所位置:address_operating 区划码:area_code
        检查人1:inspector_names.1 证号1:inspector_certs.1 检查人2:inspector_names.2 证号2:inspector_certs.2
        检查人3:inspector_names.3 证号3:inspector_certs.3 检查人4:inspector_names.4 证号4:inspector_certs.4
        检查日期:inspect_date 检查完成日:finish_date 日常或专项:check_form 检查种类:check_type 监管方式:check_mode 对外公示:publishable
        不对外公示原因:not_publish_reason 录入者:entered_by 录入时刻:entered_at 更新时刻:changed_at 是否作废:@void
        检查内容编码:item_code 检查内容:item_name 检查结果:result 检查附注:remark 检查部门:@owner""",
        file="文旅检查-{day:%Y%m%d}.xlsx",
        titles=("文化和旅游市场检查登记表", "（双随机及重点检查）", ""),
        merged=True,
        codes={"check_form": "label"},
        dates="cell",
        void=("否", "是"),
    ),
    layout(
        "MZJ",
        "workbook",
        """台账序号:@seq 台账编号:record_no 所属计划编号:plan_id 所属计划:plan_name 所属任务编号:task_id 所属任务:task_name 检查性质:check_kind
        来信来访事由:case_reason 是否多部门:joint 牵头部门:lead_dept 机构名称:subject_name 机构信用代码:uscc 机构分类:object_type
        机构编号:object_code 法人情况:counterpart_nature 机构地址:address_operating 县区:area_code 检查人员姓名:inspector_names
        检查人员证号:inspector_certs 检查日期:inspect_date 结束日期:finish_date 检查形式:check_form 检查类别:check_type 检查方式:check_mode
        是否上网公示:publishable 不上网理由:not_publish_reason 记录人:entered_by 记录时间:entered_at 台账状态:@void
        事项代码:item_code 事项:item_name 检查意见:result 台账备注:remark 检查科室单位:@owner""",
        file="民政检查台账.xlsx",
        titles=("周至县民政局社会组织与养老机构检查台账", "（全年累计，每日更新）"),
        notes=("填表说明：本台账为累计台账，更正在原行修改。",),
        merged=True,
        cumulative=True,
        codes={"result": "own", "object_type": "label", "area_code": "own"},
        void=("在册", "注销作废"),
    ),
    layout(
        "JTJ",
        "workbook",
        """检查流水:record_no 计划ID:plan_id:N 计划全称:plan_name 任务ID:task_id 任务全称:task_name 抽查类型:check_kind 个案缘由:case_reason
        联合执法:joint 发起部门:lead_dept 业户名称:subject_name 业户信用代码:uscc 业户类型:object_type 车船或场站编码:object_code
        业户性质:counterpart_nature 业户地址:address_operating 行政区划代码:area_code:N 执法人员:inspector_names 执法人员证号:inspector_certs
        执法日期:inspect_date 终结日期:finish_date 执法形式:check_form 执法类别:check_type 执法方式:check_mode:N 公示标志:publishable:N
        不予公示理由:not_publish_reason 制单:entered_by 制单时间:entered_at 执法事项编码:item_code:N 执法事项:item_name
        执法结果:result 处理代码:follow_up 执法备注:remark 执法机构:@owner 废止标志:@void 变更时间:changed_at""",
        file="交通执法{day:%Y%m%d}.xlsx",
        sheet="检查结果",
        titles=("交通运输执法检查结果",),
        notes=("说明：公示标志 1 公示，0 不公示。",),
        yes_no=("1", "0"),
        void=("有效", "废止"),
        owner="name",
        separator="/",
    ),
    layout(
        "SWJ",
        "workbook",
        """水务检查号:record_no 计划编码:plan_id 计划名:plan_name 任务编码:task_id 任务名:task_name 抽取方式:check_kind 交办事由:case_reason
        联检:joint 联检牵头:lead_dept 用水（取水）户:subject_name 户信用代码:uscc 户类型:object_type 取水口编码:object_code 户性质:counterpart_nature
        取水地址:address_operating 所在县区码:area_code 水政人员:inspector_names 水政证号:inspector_certs 检查日:inspect_date 完成日:finish_date
        检查形式:check_form 检查类别:check_type 检查方式:check_mode 公开:publishable 不公开理由:not_publish_reason 登记员:entered_by
        登记时刻:entered_at 变动时刻:changed_at 行状态:@void 水政事项码:item_code 水政事项:item_name 水政实施码:implement_code
        检查结果类别:result 行备注:remark 水政单位:@owner""",
        file="水政检查{day:%Y%m%d}（日报）.xlsx",
        titles=("水行政执法检查日报",),
        merged=True,
        repeat_heading=8,
        dates="dots",
        void=("√", "×"),
        separator=",",
    ),
    layout(
        "ZGJ",
        "workbook",
        """核查编号:record_no 核查计划号:plan_id 核查计划:plan_name 核查任务号:task_id 核查任务:task_name 核查类型:check_kind 线索事由:case_reason
        是否联合核查:joint 核查牵头:lead_dept 用地（矿权）人:subject_name 用地人代码:uscc 核查对象类型:object_type 宗地或矿权编号:object_code
        用地人性质:counterpart_nature 坐落:address_operating 坐落区划:area_code 核查人:inspector_names 核查证号:inspector_certs
        核查日期:inspect_date 核查完成:finish_date 核查形式:check_form 核查类别:check_type 核查方式:check_mode 可否公示:publishable
        不可公示理由:not_publish_reason 上报人:entered_by 上报时间:entered_at 核查事项编码:item_code 核查事项:item_name 核查结果:result
        核查备注:remark 核查单位:@owner 撤回:@void 上次修改:changed_at""",
        file="资规核查_{day:%Y%m%d}.xlsx",
        titles=("自然资源和规划核查结果", "单位：宗"),
        notes=("合计行由系统生成。",),
        dates="serial",
        yes_no=("Y", "N"),
        void=("N", "Y"),
    ),
    layout(
        "YBJ",
        "workbook",
        """医保稽核号:record_no 稽核计划编号:plan_id 稽核计划名称:plan_name 稽核任务编号:task_id 稽核任务名称:task_name 稽核类型:check_kind
        个案稽核事由:case_reason 联合稽核:joint 稽核牵头单位:lead_dept 定点机构:subject_name 定点机构代码:uscc 机构类别:object_type
        机构国家编码:object_code 机构性质码:counterpart_nature 机构所在地:address_operating 统筹区:area_code 稽核人员:inspector_names
        稽核证号:inspector_certs 进点日期:inspect_date 离点日期:finish_date 稽核形式:check_form 稽核类别:check_type 稽核方式:check_mode
        公示标识:publishable 免公示理由:not_publish_reason 建档人:entered_by 建档时间:entered_at 修订时间:changed_at 存废:@void
        稽核事项码:item_code 稽核事项:item_name 稽核实施码:implement_code 稽核结论:result 稽核附注:remark 稽核机构:@owner""",
        file="医保稽核{day:%Y%m%d}.xlsx",
        titles=("医疗保障基金使用稽核结果表",),
        merged=True,
        dates="compact",
        yes_no=("Y", "N"),
        void=("存", "废"),
        owner="name",
        separator=";",
    ),
)
