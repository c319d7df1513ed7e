"""Sentences about calendar files that cannot be taken, in Vietnamese; the reading itself speaks English.

In: a sentence of a `CalendarError`. Out: the same in the reader's language, with its file and line; what a library says
itself is put in brackets as it is, behind a Vietnamese sentence.
"""

from __future__ import annotations

import re

from phongmay_api.language import Language

_KINDS = {
    "term": "học kỳ", "holiday": "ngày nghỉ", "exam": "kỳ thi", "shift": "ca học", "exception": "ngày học bù",
}  # fmt: skip
_VI: tuple[tuple[str, str], ...] = (
    (r"(.+?): line (\d+): (.+)", "{0}: dòng {1}: {2}"),
    (r"(.+): more than (\d+) bytes; .+", "{0}: lớn hơn {1} byte; lịch của một trường chỉ có vài nghìn byte"),
    (r"this is not UTF-8; .+", "tệp không phải UTF-8; hãy lưu tệp dạng UTF-8"),
    (r"'(.*)' is no line of an iCalendar file", "“{0}” không phải là một dòng của tệp iCalendar"),
    (r"expected BEGIN:VCALENDAR, found '(.*)'", "cần dòng BEGIN:VCALENDAR nhưng gặp “{0}”"),
    (r"END:(.*) ends nothing", "dòng END:{0} không kết thúc khối nào"),
    (r"END:(.*) ends (.+)", "dòng END:{0} đứng ở chỗ phải kết thúc khối {1}"),
    (r"BEGIN:(.*) is never ended", "khối BEGIN:{0} không có dòng kết thúc"),
    (r"this is no iCalendar file; .+", "đây không phải tệp iCalendar: không có dòng BEGIN:VCALENDAR"),
    (r"it cannot be read as iCalendar: (.+)", "không đọc được theo định dạng iCalendar ({0})"),
    (r"UID '(.*)' stands there twice", "mã UID “{0}” xuất hiện hai lần"),
    (r"this event has no UID, .+", "sự kiện không có mã UID nên lần nhập sau không nhận ra được"),
    (
        r"RANGE=THISANDFUTURE is not supported; .+",
        "không hỗ trợ RANGE=THISANDFUTURE; hãy kết thúc quy tắc lặp cũ rồi bắt đầu quy tắc mới",
    ),
    (r"this event does not say what it is; .+", "sự kiện không cho biết là loại gì; hãy chọn loại lịch khi nhập"),
    (r"this event has no (.+) that can be read", "sự kiện không có {0} đọc được"),
    (r"this event ends before it begins", "sự kiện kết thúc trước khi bắt đầu"),
    (r"more than one RRULE in one event .+", "không hỗ trợ nhiều RRULE trong một sự kiện"),
    (r"this recurrence cannot be taken: (.+)", "không nhận được quy tắc lặp này: {0}"),
    (r"FREQ=(.*); expected one of (.+)", "FREQ={0}; cần một trong: {1}"),
    (r"it recurs more than (\d+) times in five years", "lặp hơn {0} lần trong năm năm"),
    (r"it recurs more than (\d+) times", "lặp hơn {0} lần"),
    (r"(.+) is no day", "{0} không phải là ngày"),
    (r"an? (\w+) is whole days, but .+", "{0} tính theo ngày, nhưng sự kiện có giờ"),
    (r"lessons with clock times .+", "buổi học có giờ phải nằm gọn trong một ngày; mỗi ngày dùng một sự kiện"),
    (r"hours of (\w+) '(.*)': (.+)", "giờ của {0} “{1}”: {2}"),
    (r"a shift needs hours: .+", "ca học cần giờ: morning, afternoon, both, hoặc giờ như “06:45-11:30”"),
    (
        r"(\w+) '(.*)': whole days have no hours; .+",
        "{0} “{1}”: tính theo ngày thì không có giờ; chỉ ca học và ngày học bù có giờ",
    ),
    (r"(\w+) from (\S+): it needs a last day", "{0} từ {1}: cần có ngày cuối"),
    (r"(\w+): (\S+) is not a year from (\d+) to (\d+)", "{0}: {1} không thuộc các năm từ {2} đến {3}"),
    (r"(\w+) from (\S+) to (\S+) ends before it begins", "{0} từ {1} đến {2} kết thúc trước khi bắt đầu"),
    (r"(\w+) from (\S+) to (\S+) is longer than (\d+) days", "{0} từ {1} đến {2} dài hơn {3} ngày"),
    (r"'(.*)' has no hours; the form is '(.+)'", "“{0}” thiếu giờ; cách ghi: “{1}”"),
    (r"'(.*)' has hours that overlap", "“{0}” có giờ chồng lên nhau"),
    (r"'(.*)' is not hours such as .+", "“{0}” không phải giờ như “07:00-11:30”"),
    (r"'(.*)' ends before it begins", "“{0}” kết thúc trước khi bắt đầu"),
    (r"'(.*)' is not one day such as .+", "“{0}” không phải một ngày như “Fri”"),
    (r"'(.*)' is not a day or days such as .+", "“{0}” không phải ngày như “Mon” hay “Mon-Fri”"),
    (r"'(.*)' runs backwards", "“{0}” đi ngược thứ tự ngày"),
    (r"([A-Z-]+): (.+)", "thuộc tính {0} không đọc được ({1})"),
)  # fmt: skip
_COMPILED = tuple((re.compile(pattern, re.DOTALL), text) for pattern, text in _VI)


def why_in(sentence: str, language: Language) -> str:
    """Give a sentence about a calendar or its file in a language, without a full stop."""
    sentence = sentence.rstrip(".")
    if language == "en":
        return sentence
    for pattern, text in _COMPILED:
        if found := pattern.fullmatch(sentence):
            return text.format(*(_KINDS.get(piece) or why_in(piece, language) for piece in found.groups()))
    return sentence
