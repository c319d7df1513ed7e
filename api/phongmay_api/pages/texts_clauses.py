"""Words of the page of clauses, in both languages; `texts` takes them in."""

from __future__ import annotations

VI: dict[str, str] = {
    "by_clause": "Theo điều khoản",
    "clauses_title": "Kết quả theo từng điều khoản",
    "clauses_about": "Mọi điều khoản đều được liệt kê, kể cả phần máy không đo được. Điều khoản lấy kết quả kém nhất "
    "của các tiêu chí thuộc nó; chỉ đo được một phần thì phần còn lại vẫn phải xét thủ công. "
    "Lời xác nhận của người có thẩm quyền được ghi kèm nhưng không được tính là đạt.",
    "clauses_stated": "{count} điều khoản xét thủ công: {met} được xác nhận đạt, {not_met} xác nhận chưa đạt, "
    "{unstated} chưa có xác nhận.",
    "clause_part_passes": "phần đo được không có lỗi, phần còn lại do người có thẩm quyền xác nhận",
    "clause_off": "Tiêu chí {rules} đang tắt nên chưa được xét; bật bằng khóa rules.optional.",
    "clause_unstated": "Chưa có xác nhận.",
}

EN: dict[str, str] = {
    "by_clause": "By clause",
    "clauses_title": "Standing by clause",
    "clauses_about": "Every clause is listed, also what no machine measures. A clause takes the worst state of its "
    "rules; where only a part is measured, the rest stays a matter for a person. A statement is shown beside it and "
    "never counts as a pass.",
    "clauses_stated": "{count} {count:clause|clauses} for a person to judge: {met} stated as met, {not_met} stated as "
    "not met, {unstated} without a statement.",
    "clause_part_passes": "nothing fails in the part that is measured; the rest is for a person to state",
    "clause_off": "{count:Rule|Rules} {rules} {count:is|are} switched off, so nobody judged {count:it|them}; "
    "rules.optional turns {count:it|them} on.",
    "clause_unstated": "Nobody has stated anything.",
}
