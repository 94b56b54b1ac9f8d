"""The nine departments that keep a database of their own: native tables, headings and habits.

Belongs here: one declaration a department. Must not: rendering, SQL.
"""

from __future__ import annotations

from mock_platforms.county.layout_model import layout

DATABASES = (
    layout(
        "SCJG",
        "database",
        """LSH:@key JCBH:record_no JHBH:plan_id JHMC:plan_name RWBH:task_id RWMC:task_name CCLX:check_kind GASY:case_reason
        LHJC:joint:INTEGER QTBM:lead_dept QYMC:subject_name TYSHXYDM:uscc DXLX:object_type DXBM:object_code
        XDRMC:counterpart_name XDRXZ:counterpart_nature XDRZJLX:counterpart_id_type XDRZJHM:counterpart_code
        JYDZ:address_operating XZQH:area_code JCRY:inspector_names ZFZH:inspector_certs
        JCRQ:inspect_date WCRQ:finish_date JCXS:check_form JCLB:check_type JCFS:check_mode SFGS:publishable:INTEGER
        BGSLY:not_publish_reason LRR:entered_by LRSJ:entered_at SCBZ:@void GXSJ:changed_at
        SXBM:item_code SXMC:item_name SSQDBM:implement_code JCJG:result CLJG:follow_up BZ:remark JCDW:@owner""",
        table="JCJG",
        item_table="JCJG_SX",
        yes_no=("1", "0"),
        void=("0", "1"),
    ),
    layout(
        "YJJ",
        "database",
        """流水号:@key 执法检查编号:record_no 计划号:plan_id 计划名:plan_name 任务号:task_id 任务名:task_name 检查来源:check_kind
        立案线索:case_reason 是否联合:joint 组长单位:lead_dept 被检查单位:subject_name 信用代码:uscc 对象类别:object_type
        场所编号:object_code 相对人类别:counterpart_nature 场所地址:address_operating 所在区划:area_code
        检查员甲:inspector_names.1 检查员甲证号:inspector_certs.1 检查员乙:inspector_names.2 检查员乙证号:inspector_certs.2
        检查员丙:inspector_names.3 检查员丙证号:inspector_certs.3 检查员丁:inspector_names.4 检查员丁证号:inspector_certs.4
        检查日:inspect_date 办结日:finish_date 检查形式码:check_form 检查类别码:check_type 检查方式码:check_mode
        可公示:publishable 不公示原因:not_publish_reason 登记人:entered_by 登记时间:entered_at 事项码:item_code 事项:item_name
        结论:result 处置:follow_up 说明:remark 执法单位:@owner 记录状态:@void 修改时间:changed_at""",
        table="应急检查台账",
        codes={"result": "own", "check_kind": "own", "follow_up": "own"},
        dates="slash",
        yes_no=("Y", "N"),
        void=("有效", "无效"),
        owner="name",
    ),
    layout(
        "WJJ",
        "database",
        """NBXH:@key JDJC_BH:record_no CCJH_BH:plan_id CCJH_MC:plan_name CCRW_BH:task_id CCRW_MC:task_name CCFS:check_kind
        GAJC_YY:case_reason SFLH:joint QTDW:lead_dept BJDR_MC:subject_name BJDR_DM:uscc BJDR_LB:object_type BJDR_BM:object_code
        BJDR_XZ:counterpart_nature BJDR_DZ:address_operating QHDM:area_code JDY:inspector_names JDY_ZH:inspector_certs
        JD_RQ:inspect_date BJ_RQ:finish_date JD_XS:check_form JD_LB:check_type JD_FS:check_mode GKBZ:publishable
        BGK_LY:not_publish_reason TBR:entered_by TBSJ:entered_at ZTBZ:@void XGSJ:changed_at:DATETIME
        JDSX_BM:item_code JDSX_SSBM:implement_code JDJG_DM:result JDJG_BZ:remark JDDW:@owner""",
        table="WS_JDJC",
        item_table="WS_JDJC_MX",
        codes={"result": "set:D", "object_type": "label"},
        dates="compact",
        yes_no=("1", "0"),
        void=("A", "D"),
        owner="name",
        separator=",",
    ),
    layout(
        "ZJJ",
        "database",
        """记录主键:@key 检查单号:record_no 抽查计划编号:plan_id 抽查计划名称:plan_name 抽查任务编号:task_id 抽查任务名称:task_name
        抽查类型:check_kind 个案事由:case_reason 联合检查:joint 牵头单位:lead_dept 受检单位:subject_name 受检单位信用代码:uscc
        监管对象类型:object_type 项目编码:object_code 责任单位:counterpart_name 相对人性质:counterpart_nature 责任单位证件类型:counterpart_id_type
        责任单位代码:counterpart_code 项目地址:address_operating 区划代码:area_code
        检查人:inspector_names 检查人证号:inspector_certs 现场检查日期:inspect_date:DATE 检查完成日期:finish_date:DATE
        检查形式:check_form 检查类别:check_type 检查方式:check_mode 是否公示:publishable 不公示理由:not_publish_reason
        录入人员:entered_by 录入日期时间:entered_at:DATETIME 检查事项编码:item_code 检查事项:item_name 实施清单编码:implement_code
        检查结论:result 后续处理:follow_up 检查备注:remark 检查机构:@owner 单据状态:@void 最后修改:changed_at:DATETIME""",
        table="住建_检查记录",
        codes={"follow_up": "label", "check_form": "label", "check_type": "label"},
        void=("已提交", "已作废"),
    ),
    layout(
        "HBJ",
        "database",
        """XTXH:@key XCJCBH:record_no SJJHBH:plan_id SJJHMC:plan_name SJRWBH:task_id SJRWMC:task_name JCLYDM:check_kind
        XFSX:case_reason LHZF:joint QTJG:lead_dept WRYMC:subject_name WRYDM:uscc WRYLX:object_type WRYBH:object_code
        XDRLX:counterpart_nature WRYDZ:address_operating SZQH:area_code ZFRY:inspector_names ZFRYZH:inspector_certs
        XCJCSJ:inspect_date JCJSSJ:finish_date ZFXS:check_form ZFLB:check_type ZFFS:check_mode XXGK:publishable
        BGKYY:not_publish_reason JLR:entered_by JLSJ:entered_at JCSXDM:item_code JCSXMC:item_name
        JCJL:result CZYJ:follow_up BZXX:remark ZFJG:@owner SJZT:@void GXRQ:changed_at""",
        table="HB_XCJC",
        codes={"result": "own", "check_kind": "own"},
        dates="dots",
        yes_no=("Y", "N"),
        void=("1", "9"),
        owner="name",
        separator=",",
    ),
    layout(
        "SHUIJ",
        "database",
        """HCXH:@key HCBH:record_no NDJH_DM:plan_id NDJH_MC:plan_name SJ_RWDM:task_id SJ_RWMC:task_name HCLX_MC:check_kind
        AYSM:case_reason BMLH_BZ:joint:INTEGER QT_SWJG:lead_dept NSRMC:subject_name NSRSBH:uscc NSRLX_DM:object_type NSR_DJXH:object_code
        NSRXZ_DM:counterpart_nature SCJYDZ:address_operating XZQHSZ_DM:area_code HCRY_MC:inspector_names HCRY_ZJ:inspector_certs
        HCQ_RQ:inspect_date HCZ_RQ:finish_date HCXS_DM:check_form HCLB_DM:check_type HCFS_DM:check_mode GS_BZ:publishable:INTEGER
        BGS_YY:not_publish_reason LRRY:entered_by LRRQ:entered_at YXBZ:@void XGRQ:changed_at
        HCSX_DM:item_code:BIGINT HCSX_MC:item_name HCJG_DM:result HCBZ:remark HC_JG:@owner""",
        table="SW_HC",
        item_table="SW_HCMX",
        codes={"result": "set:C"},
        dates="compact",
        yes_no=("1", "0"),
        void=("Y", "N"),
        owner="name",
        separator=",",
    ),
    layout(
        "RSJ",
        "database",
        """JLXH:@key LDJC_ID:record_no JH_ID:plan_id JH_NAME:plan_name RW_ID:task_id RW_NAME:task_name LDJC_LX:check_kind
        TSJB_SY:case_reason LH_BZ:joint QT_DW:lead_dept DW_MC:subject_name DW_XYDM:uscc DW_LX:object_type:INTEGER DW_BM:object_code
        DW_XZ:counterpart_nature DW_DZ:address_operating DW_QH:area_code JCY_XM:inspector_names JCY_ZH:inspector_certs
        JC_KSRQ:inspect_date JC_JSRQ:finish_date JC_XS:check_form JC_LB:check_type JC_FS:check_mode:INTEGER GS_SF:publishable
        GS_FLY:not_publish_reason CJR:entered_by CJSJ:entered_at SX_BM:item_code SX_MC:item_name SX_SSBM:implement_code
        SX_JG:result SX_BZ:remark JC_DW:@owner ZF_BZ:@void GX_SJ:changed_at""",
        table="LDBZ_JC",
        void=("N", "Y"),
        separator="/",
    ),
    layout(
        "JYJ",
        "database",
        """系统编号:@key 督查编号:record_no 年度计划编号:plan_id 年度计划:plan_name 督查任务编号:task_id 督查任务:task_name 督查类型:check_kind
        个案原因:case_reason 部门联合:joint 联合牵头:lead_dept 学校或机构:subject_name 机构代码:uscc 机构类型:object_type
        学校标识码:object_code 机构性质:counterpart_nature 校址:address_operating 所属区划:area_code 督查人员:inspector_names
        督查证号:inspector_certs 到校日期:inspect_date 完成日期:finish_date 督查形式:check_form 督查类别:check_type 督查方式:check_mode
        公示与否:publishable 不公示的理由:not_publish_reason 填报人:entered_by 填报时间:entered_at 督查事项编码:item_code
        督查事项:item_name 结果代码:result 督查说明:remark 督查单位:@owner 数据状态:@void 更新于:changed_at""",
        table="教育督查",
        codes={"result": "set:B", "counterpart_nature": "label"},
        dates="chinese",
        void=("在用", "停用"),
    ),
    layout(
        "XFJ",
        "database",
        """BDXH:@key XFJC_BH:record_no XFJH_BH:plan_id XFJH_MC:plan_name XFRW_BH:task_id XFRW_MC:task_name XFCC_LX:check_kind
        JBTS_NR:case_reason XFLH:joint XFQT:lead_dept XFDW_MC:subject_name XFDW_XYDM:uscc XFDW_LX:object_type XFDW_BM:object_code
        XFDW_XZ:counterpart_nature XFDW_DZ:address_operating XFDW_QH:area_code XFJDY:inspector_names XFJDY_ZH:inspector_certs
        XFJC_RQ:inspect_date XFWC_RQ:finish_date XFJC_XS:check_form XFJC_LB:check_type XFJC_FS:check_mode XFGS:publishable
        XFBGS_LY:not_publish_reason XFLRR:entered_by XFLR_SJ:entered_at XFZT:@void XFGX_SJ:changed_at
        XFSX_BM:item_code XFSX_MC:item_name XFSX_SSBM:implement_code XFJC_JL:result XFJC_BZ:remark XFJC_DW:@owner""",
        table="XF_JDJC",
        item_table="XF_JDJC_SX",
        codes={"result": "own", "check_mode": "label"},
        void=("正常", "撤销"),
        owner="name",
        separator="/",
    ),
)
