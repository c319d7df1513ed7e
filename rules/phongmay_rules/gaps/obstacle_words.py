"""Sentences for obstacles in Vietnamese and English: an `Obstacle` goes in, what keeps a verdict red comes out."""

from __future__ import annotations

from collections.abc import Mapping

from phongmay_rules.explain import OPERATORS, format_value
from phongmay_rules.explanation import actors
from phongmay_rules.facts.catalogue import FACTS
from phongmay_rules.facts.suppliers import NAMES, supply
from phongmay_rules.gaps.obstacles import Obstacle, Obstacles, Why
from phongmay_rules.gaps.options import FACT, REPAIRED, Target
from phongmay_rules.gaps.prices import Item, ItemKind
from phongmay_rules.model import Pack
from phongmay_rules.places import LinePlace
from phongmay_rules.reasons import reason_text
from phongmay_store.register.compliance import SubjectKind

ITEMS: Mapping[str, tuple[str, str]] = {
    "": ("hạng mục", "item"),
    ItemKind.MEMORY: ("thanh RAM", "memory module"),
    ItemKind.PART: ("linh kiện", "part"),
    ItemKind.WORK: ("việc kỹ thuật", "technical work"),
    ItemKind.PC: ("máy tính", "PC"),
    ItemKind.SWITCH: ("bộ chuyển mạch", "switch"),
    ItemKind.ROOM: ("mục trang bị phòng Tin học", "fitting-out of a computer room"),
    ItemKind.REPAIR: ("mục sửa chữa máy", "repair"),
    ItemKind.ROOM_PART: ("thiết bị của phòng", "equipment of a room"),
    ItemKind.SMART_ROOM: ("mục trang bị phòng học tương tác thông minh", "fitting-out of a smart classroom"),
    ItemKind.SCHOOL_PART: ("trang thiết bị của trường", "equipment of a school"),
    ItemKind.LINE: ("đường truyền", "line"),
}
"""Name of every kind of item."""
_MEMBERS: Mapping[str, tuple[str, str, str]] = {
    SubjectKind.DEVICE: ("máy", "device", "devices"),
    SubjectKind.ROOM: ("phòng", "room", "rooms"),
    SubjectKind.SCHOOL: ("trường", "school", "schools"),
}


def obstacle_text(obstacle: Obstacle, rule: str, pack: Pack, language: str) -> str:
    """Say why a verdict of a rule stays red; no full stop at the end.

    Args:
        obstacle: one reason.
        rule: the rule that is red; who must act is said of it.
        pack: packs in force.
        language: "vi" or "en".
    """
    vi = language == "vi"
    fact = _fact(obstacle.fact, vi)
    who = _who(rule, pack, language)
    if obstacle.why is Why.BUDGET:
        return (
            "xử lý được bằng tiền nhưng ngân sách không đủ" if vi else "money mends it, and the budget does not reach"
        )
    if obstacle.why is Why.TIME:
        return (
            "có thể xử lý được bằng tiền, nhưng hết thời gian tính trước khi tìm ra phương án"
            if vi
            else "money may mend it, but the time ran out before a way was found"
        )
    if obstacle.why is Why.ENTRY:
        return (
            f"không phải thứ mua được: chỉ cần bổ sung hồ sơ ({fact})"
            if vi
            else f"nothing to buy: entries are missing ({fact})"
        )
    if obstacle.why is Why.DATA:
        return _data(obstacle, fact, language)
    if obstacle.why is Why.ACT:
        return (
            f"là việc phải làm, không phải thứ mua được ({fact}); nơi thực hiện: {who}"
            if vi
            else f"an act, not a thing that one buys ({fact}); who must act: {who}"
        )
    if obstacle.why is Why.NO_ITEM:
        return _no_item(obstacle, fact, vi)
    if obstacle.why is Why.NONE_FITS:
        return _none_fits(obstacle, fact, language)
    if obstacle.why is Why.EXCLUDED:
        return (
            "cách xử lý này không đi cùng cách xử lý được nhiều tiêu chí hơn trên cùng đối tượng"
            if vi
            else "what would mend it excludes what mends more on the same subject"
        )
    if obstacle.why is Why.ROOM_SIZE:
        return (
            "chưa rõ quy mô phòng: cấp học này không có sĩ số tối đa trong quy định, nên không tính được số máy cần mua"
            if vi
            else "the size of the room is not known: no document caps the class of this school level, so the number of "
            "PCs to buy cannot be told"
        )
    if obstacle.why is Why.NO_ROOM:
        return (
            "trường chưa có phòng nào trong sổ đăng ký để đặt thêm máy"
            if vi
            else "the school has no room in the register in which more PCs could stand"
        )
    if obstacle.why is Why.UNDECIDED:
        return (
            "sau khi thực hiện vẫn chưa rõ: cần đo, khai báo phần còn thiếu"
            if vi
            else "still unknown afterwards: what is missing must be measured or declared"
        )
    return _members(obstacle, rule, pack, language)


def obstacle_texts(obstacles: Obstacles, target: Target, pack: Pack, language: str) -> str:
    """Say all that keeps one verdict red, in one sentence."""
    return "; ".join(obstacle_text(each, target[2], pack, language) for each in obstacles.get(target, ()))


def line_name(line: LinePlace, language: str) -> str:
    """Name a line as its contract does: provider and contracted rate down and up."""
    vi = language == "vi"
    isp = line.isp or ("chưa rõ nhà mạng" if vi else "provider not known")
    if line.down_bps is None and line.up_bps is None:
        return f"{isp} ({'chưa rõ tốc độ hợp đồng' if vi else 'contracted rate not known'})"
    rates = [format_value(rate, "bit/s", language) for rate in (line.down_bps, line.up_bps)]
    return f"{isp} {' / '.join(rates)}"


def replaced_text(item: Item, lines: tuple[LinePlace, ...], language: str) -> str:
    """Say which line is contracted, and which lines it takes the place of."""
    vi = language == "vi"
    rate = format_value(item.rate_bps, "bit/s", language)
    new = f"{item.isp or ('nhà mạng bất kỳ' if vi else 'any provider')} {rate}"
    names = "; ".join(line_name(line, language) for line in lines)
    if vi:
        return f"hợp đồng mới: {new}; " + (f"thay hợp đồng hiện có: {names}" if names else "chưa khai báo hợp đồng cũ")
    old = f"in place of the present contract: {names}" if names else "the present contract is not declared"
    return f"new contract: {new}; {old}"


def _fact(name: str, vi: bool) -> str:
    kind = FACTS.get(name)
    return "" if kind is None else kind.vi if vi else kind.en


def _who(rule: str, pack: Pack, language: str) -> str:
    found = pack.rules.get(rule)
    return actors(found, language) if found else ""


def _data(obstacle: Obstacle, fact: str, language: str) -> str:
    vi = language == "vi"
    why = reason_text(obstacle.reason, language)
    way = supply(obstacle.reason, obstacle.fact)
    who = f"; {NAMES[way.who][not vi]}: {way.vi if vi else way.en}" if way else ""
    return f"còn thiếu số liệu: {fact} ({why}){who}" if vi else f"data are missing: {fact} ({why}){who}"


def _no_item(obstacle: Obstacle, fact: str, vi: bool) -> str:
    item = ITEMS[obstacle.item][0 if vi else 1]
    about = f" ({fact})" if fact else ""
    if vi:
        return f"chưa có giá: tệp giá không có {item} nào xử lý được{about}"
    return f"no price is known: the price file has no {item} for it{about}"


def _none_fits(obstacle: Obstacle, fact: str, language: str) -> str:
    vi = language == "vi"
    item = ITEMS[obstacle.item][0 if vi else 1]
    demand = obstacle.parameter or (obstacle.rule if not obstacle.rule.startswith(FACT) else "")
    demand = demand if demand and demand != REPAIRED else "yêu cầu" if vi else "the requirement"
    text = (
        f"tệp giá không có {item} nào đáp ứng {demand}"
        if vi
        else f"the price file offers no {item} that satisfies {demand}"
    )
    if obstacle.limit is None:
        return f"{text} ({fact})" if fact else text
    word = OPERATORS.get(obstacle.operator, OPERATORS["at_least"])[0 if vi else 1]
    limit = format_value(obstacle.limit, obstacle.unit, language)
    text += f" ({fact}: {'cần ' + word if vi else word} {limit}"
    if obstacle.best is not None:
        best = format_value(obstacle.best, obstacle.unit, language)
        text += f", tốt nhất chỉ {best}" if vi else f", the best has {best}"
    return text + ")"


def _members(obstacle: Obstacle, rule: str, pack: Pack, language: str) -> str:
    vi = language == "vi"
    unit, one, many = _MEMBERS[obstacle.members]
    count = obstacle.count
    text = f"{count} {unit} chưa xử lý được" if vi else f"{count} {one if count == 1 else many} cannot be mended"
    if obstacle.cause is None:
        return text
    return f"{text}: {obstacle_text(obstacle.cause, rule, pack, language)}"
