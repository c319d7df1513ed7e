"""Words of the catalogue of facts, and of what is demanded of a fact."""

from __future__ import annotations

VI: dict[str, str] = {
    "facts_title": "Danh mục dữ kiện",
    "facts_about": "Quy tắc chỉ đọc các dữ kiện này. Chưa biết đủ phần phải biết thì dữ kiện không có giá trị "
    "và kết luận là chưa rõ.",
    "fact_subject": "Về",
    "fact_basis": "Thời gian xét và phần phải biết",
    "fact_fresh": "Quá cũ sau",
    "fact_each_run": "tính lại mỗi lần đánh giá",
    "fact_of_device": "máy",
    "fact_of_room": "phòng",
    "fact_of_school": "trường",
    "fact_of_district": "đơn vị quản lý",
    "operator_at_least": "tối thiểu {value}",
    "operator_above": "trên {value}",
    "operator_at_most": "tối đa {value}",
    "operator_demanded": "đơn vị không yêu cầu",
    "operator_one_of": "một trong: {value}",
    "operator_per_head": "tối thiểu {value} máy hoạt động",
}

EN: dict[str, str] = {
    "facts_title": "Catalogue of facts",
    "facts_about": "Rules read these facts only. Where less is known than must be, a fact has no value and the verdict "
    "is unknown.",
    "fact_subject": "About",
    "fact_basis": "Time looked at, and what must be known of it",
    "fact_fresh": "Stale after",
    "fact_each_run": "computed by every evaluation",
    "fact_of_device": "device",
    "fact_of_room": "room",
    "fact_of_school": "school",
    "fact_of_district": "district",
    "operator_at_least": "at least {value}",
    "operator_above": "above {value}",
    "operator_at_most": "at most {value}",
    "operator_demanded": "not demanded by the unit",
    "operator_one_of": "one of: {value}",
    "operator_per_head": "at least {value} working {value:PC|PCs}",
}
