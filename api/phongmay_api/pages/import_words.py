"""Sentences about faults of import files, in Vietnamese: the import itself speaks English, as all consoles do.

In: a sentence of the import. Out: the same in the reader's language; one that is not known here stays English.
"""

from __future__ import annotations

import re

from phongmay_api.language import Language

_VI: tuple[tuple[str, str], ...] = (
    (r"is empty; expected (.+)", "để trống; cần {0}"),
    (r"is empty; '(.+)' is declared of a device", "để trống; mục {0} khai báo cho một thiết bị"),
    (r"is empty; '(.+)' is declared of a room", "để trống; mục {0} khai báo cho một phòng"),
    (r"'(.+)' is declared of a unit above schools", "mục {0} khai báo cho đơn vị quản lý, không phải cho trường"),
    (r"expected '(.*)', the unit of '(.+)'", "cần đơn vị “{0}” của mục {1}"),
    (r"leave it empty: '(.+)' has no unit", "để trống ô này: mục {0} không có đơn vị"),
    (
        r"expected (.+), without a separator of thousands: (\S+) for (\S+)",
        "cần {0}, không ghi dấu phân cách hàng nghìn: viết {1} thay cho {2}",
    ),
    (r"expected (.+)", "cần {0}"),
    (
        r"no column is known, so it is none of the sheets (.+); take .+",
        "không có tiêu đề cột nào được nhận ra, nên đây không phải trang nào trong số: {0}; dùng tiêu đề cột của "
        "tệp mẫu, hoặc xóa trang này, hoặc đặt tên trang là “guide”",
    ),
    (r"(.+) stands in (.+) line (\d+) already", "{0} đã có ở dòng {2} của {1}"),
    (r"the school has no room of this name, .+", "trường không có phòng tên này trong sổ đăng ký"),
    (
        r"the school has no device of this code; with its room .+",
        "trường không có thiết bị mang mã này; ghi phòng của máy ở cột phòng thì dòng này sẽ đăng ký máy",
    ),
    (
        r"the register has it in no room; .+",
        "sổ đăng ký ghi máy không thuộc phòng nào; việc chuyển phòng ghi ở tệp thiết bị",
    ),
    (
        r"the register has retired it, .+",
        "sổ đăng ký ghi máy đã thanh lý, danh sách chỉ gồm máy đang có; bỏ dòng này, hoặc ghi lại tình trạng máy ở tệp "
        "thiết bị",
    ),
    (r"the register has it in '(.+)'; .+", "sổ đăng ký ghi máy ở “{0}”; việc chuyển phòng ghi ở tệp thiết bị"),
    (r"the register has it as '(.+)'; .+", "sổ đăng ký ghi loại máy là “{0}”; việc đổi loại ghi ở tệp thiết bị"),
    (r"the school has no device of this code, .+", "trường không có thiết bị mang mã này trong sổ đăng ký"),
    (r"no column of the sheet '(.+)'; did you mean '(.+)'\?", "trang “{0}” không có cột này; có phải là “{1}”?"),
    (r"no column of the sheet '(.+)'; known: (.+)", "trang “{0}” không có cột này; các cột: {1}"),
    (r"the same column as '(.+)'", "trùng với cột “{0}”"),
    (r"column '(.+)' \((.+)\) of '(.+)' is missing", "trang “{2}” thiếu cột “{0}” ({1})"),
    (r"holds no row", "không có dòng dữ liệu nào"),
    (r"is not registered; the district registers it", "chưa có trong sổ đăng ký; việc đăng ký do quận thực hiện"),
    (r"(.+) differ; only (.+) may differ here", "{0} khác sổ đăng ký; ở đây chỉ được đổi {1}"),
    (r"is a sheet '(.+)'; here only (.+)", "là trang “{0}”; ở đây chỉ nhận {1}"),
    (r"has (\d+) bytes; at most (\d+) are read.*", "có {0} byte; chỉ đọc tối đa {1} byte"),
    (r"unfolds to (\d+) bytes; at most (\d+) are read.*", "giải nén thành {0} byte; chỉ đọc tối đa {1} byte"),
    (r"is not UTF-8; .+", "không phải UTF-8; trong Excel hãy lưu dạng “CSV UTF-8”"),
    (r"is neither \.csv nor .+", "không phải .csv, .xlsx hay .json; hãy lưu thành một trong các dạng đó"),
    (
        r"is a workbook under a password, .+",
        "là tệp Excel có mật khẩu hoặc dạng .xls cũ; hãy lưu thành .xlsx không có mật khẩu",
    ),
    (r"is not a readable XLSX file.*", "không đọc được như tệp XLSX"),
    (r"cannot be read as CSV.*", "không đọc được như tệp CSV"),
    (r"is not JSON.*", "không phải JSON"),
    (r"is not a list of PCs.*", "không phải danh sách máy tính"),
    (r"has (\d+) cells, the header has (\d+) columns.*", "có {0} ô, trong khi dòng tiêu đề có {1} cột"),
    (r"has (\d+) columns; at most (\d+) are read", "có {0} cột; chỉ đọc tối đa {1} cột"),
    (r"has more than (\d+) rows; split it", "có hơn {0} dòng; hãy chia nhỏ"),
    (r"a formula without a stored value; .+", "công thức chưa có giá trị; mở tệp trong Excel, lưu rồi gửi lại"),
    (r"at most (\d+) characters in one cell", "mỗi ô tối đa {0} ký tự"),
    (r"no line breaks or control characters inside a cell", "trong ô không được xuống dòng"),
    (r"the same key stands twice.*", "một khóa được ghi hai lần"),
    (r"(.+) is no number", "{0} không phải là số"),
    (r"-?\d.*|.*docs/declared-facts\.md", "xem hướng dẫn khai báo"),
)
_NEEDS: tuple[tuple[str, str], ...] = (
    (r"the id of the school it is read for", "mã của chính trường này"),
    (r"a number from (\S+) to (\S+)(.*)", "một số từ {0} đến {1}{2}"),
    (r"a whole number from (\S+) to (\S+)(.*)", "một số nguyên từ {0} đến {1}{2}"),
    (r"a number of Mbit/s above 0", "một số Mbit/s lớn hơn 0"),
    (
        r"IP addresses or networks such as (\S+) or (\S+), at most (\d+), .+",
        "địa chỉ IP hoặc dải địa chỉ như {0} hoặc {1}, tối đa {2}, cách nhau bằng dấu phẩy",
    ),
    (r"a day: (.+)", "một ngày, ví dụ {0}"),
    (r"a day from (\d+) to today", "một ngày từ năm {0} đến hôm nay"),
    (r"yes or no.*", "“có” hoặc “không”"),
    (r"issuer:value of a school, e\.g\. (.+)", "mã trường, ví dụ {0}"),
    (r"one of (.+)", "một trong: {0}"),
    (r"a short text", "một đoạn chữ ngắn"),
    (r"a function or office.*", "chức vụ hoặc bộ phận, ví dụ “Ban kiểm kê”"),
    (r"a number, yes/no, or a short text", "một số, “có”/“không” hoặc một đoạn chữ ngắn"),
    (r"64 hexadecimal digits", "64 chữ số thập lục phân"),
    (r"a text, a number, true, false or null.*", "chữ, số, true, false hoặc null"),
    (r"an object, one for each PC", "một đối tượng cho mỗi máy"),
    (r"an object with a list .+", "một đối tượng có danh sách “computers”"),
    (r"always, never, or days and hours such as .+", "always, never hoặc ngày và giờ như “Mon-Fri 07:00-11:30”"),
)
_COMPILED = tuple((re.compile(pattern), text) for pattern, text in _VI)
_NEEDS_COMPILED = tuple((re.compile(pattern), text) for pattern, text in _NEEDS)


def in_language(sentence: str, language: Language) -> str:
    """Give a sentence of the import in a language."""
    if language == "en":
        return sentence
    for pattern, text in _COMPILED:
        if found := pattern.fullmatch(sentence):
            return text.format(*(_need(piece) for piece in found.groups()))
    return sentence


def _need(piece: str) -> str:
    for pattern, text in _NEEDS_COMPILED:
        if found := pattern.fullmatch(piece):
            return text.format(*found.groups())
    return piece
