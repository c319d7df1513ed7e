"""Words of the gap list in Vietnamese and English: notes, amounts, names of subjects, what stays red and why."""

from __future__ import annotations

from dataclasses import dataclass, replace

from phongmay_rules.explanation import explain
from phongmay_rules.facts.suppliers import BY_FACT, NAMES
from phongmay_rules.gaps.listing import GapLine, GapList, SchoolGap
from phongmay_rules.gaps.obstacle_words import obstacle_texts, replaced_text
from phongmay_rules.gaps.obstacles import Obstacles
from phongmay_rules.gaps.options import Target
from phongmay_rules.gaps.prices import ItemKind
from phongmay_rules.judging import Judgement
from phongmay_rules.model import Pack
from phongmay_rules.reasons import reason_text
from phongmay_store.register.compliance import State, SubjectKind
from phongmay_store.register.timetable import LOCAL

NOTES: dict[str, tuple[str, str]] = {
    "": ("", ""),
    "replaces": ("thay toàn bộ các thanh RAM cũ", "replaces all old modules"),
    "slots_unknown": (
        "chưa rõ số khe RAM trống: tính giá thay bằng một thanh; kiểm tra khe và loại RAM trước khi mua",
        "free slots not known: priced as one module in place of all; look at slots and type before buying",
    ),
}
REMARKS: tuple[tuple[str, str], ...] = (
    (
        "Chỉ tính tiền cho tiêu chí KHÔNG ĐẠT đã có số liệu; tiêu chí chưa rõ phải đo trước, không tính tiền.",
        "Only failing verdicts that rest on data are priced; what is unknown must be measured first.",
    ),
    (
        "Thiếu máy: chỉ tính số máy chắc chắn thiếu, sau khi các máy chưa rõ đều được xem là hoạt động.",
        "Missing PCs: only those missing in any case, with all that is unknown taken to work.",
    ),
    (
        "Các mức so sánh phần lớn là mức do quận đặt; danh sách thay đổi khi quận đổi mức.",
        "Most limits are district settings; the list changes with them.",
    ),
)

NOT_PROVEN = (
    "Chưa chứng minh được đây là phương án tốt nhất: hết thời gian tính. Đây là phương án tốt nhất đã tìm được; có thể "
    "còn phương án rẻ hơn hoặc được nhiều hơn. Hãy tính riêng từng trường hoặc đơn vị nhỏ hơn.",
    "Not proven to be the best choice: the time ran out. This is the best that was found; a cheaper or better one may "
    "exist. Ask for one school or a smaller unit.",
)


@dataclass(frozen=True, slots=True)
class First:
    """Something that must be measured or declared before money can be asked for.

    Attributes:
        count: subjects of one school.
        why: what keeps the verdict from being priced.
        who: who can supply the data.
        text: the whole sentence with what to do.
    """

    rule: str
    title: str
    count: int
    why: str
    who: str
    text: str


def first_of(found: GapList, school: SchoolGap, language: str) -> list[First]:
    """Give what a school must have measured or declared first, by rule and reason."""
    pack = found.standing.pack
    groups: dict[tuple[str, str], tuple[int, First]] = {}
    judged = found.before[school.school_id]
    asked = {target: judged[target] for target in school.paperwork} | dict(school.unknown)
    for target in school.no_measure:  # it fails, and cannot be mended before the rest of it is known
        if any(item.get("missing") for item in judged[target].evidence):
            asked[target] = replace(judged[target], state=State.UNKNOWN)
    for (_, _, rule), judgement in asked.items():
        key = (rule, judgement.reason.value)
        count, line = groups.get(key) or (0, _first(pack, rule, judgement, language))
        groups[key] = (count + 1, line)
    return [replace(line, count=count) for _, (count, line) in sorted(groups.items())]


def _first(pack: Pack, rule: str, judgement: Judgement, language: str) -> First:
    title = pack.rules[rule].title.in_(language)
    told = explain(judgement, rule, pack, judgement.evidence, None, language)
    if told.missing:
        missing = told.missing[0]
        who, text = NAMES[missing.who][language == "en"], missing.text
    else:  # it fails for want of entries, which are nobody's measurement
        fact = sorted(pack.rules[rule].facts())[0]
        who, text = NAMES[BY_FACT[fact].who][language == "en"], told.action
    return First(rule, title, 0, reason_text(judgement.reason, language), who, text)


@dataclass(frozen=True, slots=True)
class Left:
    """Red verdicts of one rule in one school (or above) that stay red for one reason.

    Attributes:
        targets: the verdicts, in order.
        subjects: the names of what they judge, one for each; two things may have one name.
        why: the reason, a whole sentence without its full stop.
    """

    rule: str
    title: str
    targets: tuple[Target, ...]
    subjects: tuple[str, ...]
    why: str


def left_of(found: GapList, school: SchoolGap, language: str) -> list[Left]:
    """Give what stays red in a school, by rule and reason; with what only entries mend."""
    return _left(found, (*school.no_measure, *school.paperwork), school.obstacles, language)


def left_above(found: GapList, language: str) -> list[Left]:
    """Give what stays red on units above schools, by rule and reason."""
    return _left(found, tuple(found.above), found.above, language)


def _left(found: GapList, targets: tuple[Target, ...], obstacles: Obstacles, language: str) -> list[Left]:
    groups: dict[tuple[str, str], list[Target]] = {}
    for target in sorted(targets):
        why = obstacle_texts(obstacles, target, found.standing.pack, language)
        groups.setdefault((target[2], why), []).append(target)
    return [
        Left(
            rule, rule_title(found, rule, language), tuple(same), tuple(subject_name(found, one) for one in same), why
        )
        for (rule, why), same in sorted(groups.items())
    ]  # fmt: skip


def note_text(line: GapLine, language: str) -> str:
    """Give what must be said about a line of the list: what is not known of it, and which contract it takes over."""
    if line.line.item.kind is ItemKind.LINE:
        return replaced_text(line.line.item, line.replaces, language)
    return NOTES[line.line.note][language == "en"]


def vnd(amount: int) -> str:
    """Write an amount as people read it: 1.234.567 đ."""
    return f"{amount:,}".replace(",", ".") + " đ"


def as_of(found: GapList) -> str:
    """Give the local time of the evaluation that the list rests on."""
    return f"{found.standing.at.astimezone(LOCAL):%d/%m/%Y %H:%M}"


def subject_name(found: GapList, target: Target) -> str:
    """Give what people call the subject of a verdict."""
    kind, subject, _ = target
    names = found.standing.names
    if kind == SubjectKind.DEVICE:
        return names.device(subject)
    if kind == SubjectKind.DISTRICT:
        return found.standing.organisation.units[subject].name
    return names.room(subject) if kind == SubjectKind.ROOM else school_name(found, subject)


def school_name(found: GapList, school: str) -> str:
    """Give a school's name."""
    return found.standing.organisation.schools[school].name


def place(found: GapList, line: GapLine) -> str:
    """Give the device or room of a line; the school's name when it is for the whole school."""
    names = found.standing.names
    return names.device(line.device_id) if line.device_id else names.room(line.room_id)


def rule_title(found: GapList, rule: str, language: str) -> str:
    """Give a rule's title."""
    return found.standing.pack.rules[rule].title.in_(language)
