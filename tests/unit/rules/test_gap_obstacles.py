"""What stays red and why, and a slow line from its measured rate to the contract that is bought for it.

Long because each kind of obstacle needs a standing of its own, and the helpers that make one.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from openpyxl import load_workbook
from sqlalchemy import update

from phongmay_contract.units import GIB
from phongmay_rules.facts.catalogue import FACTS
from phongmay_rules.facts.records import FactValue
from phongmay_rules.gaps.listing import GapList, make_gap_list
from phongmay_rules.gaps.obstacle_words import ITEMS, obstacle_text
from phongmay_rules.gaps.obstacles import ACTS, Obstacle, Why
from phongmay_rules.gaps.prices import Item, ItemKind, Prices, read_prices
from phongmay_rules.gaps.sheets import workbook
from phongmay_rules.gaps.words import left_above, left_of, note_text
from phongmay_rules.loader import load_pack
from phongmay_rules.standing import Standing, read_standing
from phongmay_simulate.district import Role
from phongmay_store.register.calendar import CalendarKind, DayHours
from phongmay_store.register.calendar_hours import Calendar, Period
from phongmay_store.register.campaign import CampaignResult, CampaignRun
from phongmay_store.register.declared import Declared
from phongmay_store.register.device import Device
from phongmay_store.register.place import Line, Room

pytestmark = pytest.mark.one_register

NOW = datetime.fromisoformat("2026-11-23T10:00:00+07:00")
LONG_AGO = NOW - timedelta(days=60)
PRICES = read_prices()


def standing_of(house: Any) -> Standing:
    """Evaluate and read how everything stands."""
    house.evaluate()
    with house.sessions() as session:
        return read_standing(session, house.pack)


def only(standing: Standing, *rules: str, prices: Prices = PRICES, **wishes: Any) -> GapList:
    """Make the list for some rules."""
    found = make_gap_list(standing, prices, only=frozenset(rules), **wishes)
    assert found.broken == ()
    assert_each_has_a_reason(found)
    return found


def assert_each_has_a_reason(found: GapList) -> None:
    """Nothing stays red in silence: every red verdict is mended, or says why not, in both languages."""
    for school in found.schools:
        for target in (*school.no_measure, *school.paperwork):
            assert school.obstacles[target], target
    for school in found.schools:
        for language in ("vi", "en"):
            left = left_of(found, school, language)
            assert sum(len(one.subjects) for one in left) == len(school.no_measure) + len(school.paperwork)
            assert all(one.why and "None" not in one.why for one in left)


def left(found: GapList, school: str) -> dict[str, list[Obstacle]]:
    """Give the obstacles of one school by rule."""
    out: dict[str, list[Obstacle]] = {}
    for one in (one for one in found.schools if one.school_id == school):
        for target, obstacles in one.obstacles.items():
            out.setdefault(target[2], []).extend(obstacles)
    return out


def items(*kinds: ItemKind) -> Prices:
    """Give the prices without some kinds of item."""
    return PRICES.model_copy(update={"item": tuple(item for item in PRICES.item if item.kind not in kinds)})


def test_no_pc_of_the_price_file_satisfies_the_demand(house: Any) -> None:
    """A PC of 8 GB at most against ram_min of 16 GB: the room that lacks PCs says so, with both figures."""
    house.set_parameter("quan", "ram_min", 16 * GIB)
    house.room("big", "cs", class_size=10)
    found = only(standing_of(house), "PH-01")
    assert found.lines == ()
    (why,) = left(found, "cs")["PH-01"]
    assert (why.why, why.item, why.parameter, why.limit, why.best) == ("none_fits", "pc", "ram_min", 16 * GIB, 8 * GIB)
    (school,) = [school for school in found.schools if school.school_id == "cs"]
    texts = [left_of(found, school, language)[0].why for language in ("vi", "en")]
    assert texts[0].startswith("tệp giá không có máy tính nào đáp ứng ram_min")
    assert "cần tối thiểu 16 GB, tốt nhất chỉ 8 GB" in texts[0]
    assert texts[1].startswith("the price file offers no PC that satisfies ram_min")
    assert "at least 16 GB, the best has 8 GB" in texts[1]


def test_a_machine_that_no_part_brings_far_enough(house: Any) -> None:
    """Memory of 16 GB at most where 64 are demanded: the PC, and the room that counts it, name the same limit."""
    house.set_parameter("quan", "ram_min", 64 * GIB)
    found = only(standing_of(house), "TB-01", "PH-02", "QU-01")
    whys = left(found, "cs")
    assert {(why.why, why.parameter, why.limit) for why in whys["TB-01"]} == {("none_fits", "ram_min", 64 * GIB)}
    (room,) = whys["PH-02"]
    assert (room.why, room.count, room.members) == ("members", 3, "device")
    assert room.cause in whys["TB-01"]
    (district,) = left_above(found, "en")
    assert (district.rule, district.why) == ("QU-01", "2 schools cannot be mended")


def test_a_room_of_unknown_size(house: Any) -> None:
    """A school whose level no document caps gets no priced room: nobody knows for how many."""
    house.unit("gd", "school", "quan", "gdtx")
    found = only(standing_of(house), "TR-01b", "PH-01")
    assert left(found, "gd") == {"TR-01b": [Obstacle(Why.ROOM_SIZE, fact="computer_rooms")]}


def test_data_that_must_be_there_first(house: Any) -> None:
    """A smart classroom that lacks a display, of whose sound nobody spoke: what to declare is named, and by whom."""
    house.room("smart", "cs")
    with house.sessions() as session:
        session.execute(update(Room).where(Room.id == "smart").values(kind="smart_classroom"))
        for name, number in (("display", 0), ("teacher_computer", 1), ("internet", 1)):
            session.add(
                Declared(id=name, school_id="cs", subject_kind="room", subject_id="smart", name=name, number=number,
                         declared_by="x", valid_from=LONG_AGO, recorded_at=LONG_AGO)
            )  # fmt: skip
        session.commit()
    found = only(standing_of(house), "PH-08", "TB-11")
    whys = left(found, "cs")
    assert [(why.why, why.fact, why.reason) for why in whys["PH-08"]] == [("data", "has_audio", "not_declared")]
    assert {why.why for why in whys["TB-11"]} == {"entry"}
    (school,) = [school for school in found.schools if school.school_id == "cs"]
    texts = {one.rule: one.why for one in left_of(found, school, "vi")}
    assert "nhà trường: khai báo thành phần này" in texts["PH-08"]
    assert "không phải thứ mua được" in texts["TB-11"]


def test_two_things_of_one_name_keep_each_its_own_reason(house: Any) -> None:
    """Two classrooms called alike, one without a declaration, one without a price: each row has its reason, in both
    languages, of the same thing."""
    house.room("a", "cs")
    house.room("b", "cs")
    with house.sessions() as session:
        for name, has_audio in (("a", False), ("b", True)):
            session.execute(update(Room).where(Room.id == name).values(kind="smart_classroom", name="Phòng 12"))
            said = {"display": 0, "teacher_computer": 1, "internet": 1} | ({"audio": 0} if has_audio else {})
            for item, number in said.items():
                session.add(
                    Declared(id=f"{name}-{item}", school_id="cs", subject_kind="room", subject_id=name, name=item,
                             number=number, declared_by="x", valid_from=LONG_AGO, recorded_at=LONG_AGO)
                )  # fmt: skip
        session.commit()
    found = only(standing_of(house), "PH-08", prices=items(ItemKind.ROOM_PART))
    rows = [row for row in load_workbook(io.BytesIO(workbook(found)))["Chưa xử lý"].values if row[2] == "PH-08"]
    assert [row[1] for row in rows] == ["Phòng 12", "Phòng 12"]
    pairs = {
        (word, text in str(row[5]))
        for row in rows
        for word, text in (("còn thiếu số liệu", "data are missing"), ("chưa có giá", "no price is known"))
        if word in str(row[4])
    }
    assert pairs == {("còn thiếu số liệu", True), ("chưa có giá", True)}


def with_fact(standing: Standing, subject: tuple[Any, str], **values: float) -> Standing:
    """Give the standing with other facts of one subject."""
    own = dict(standing.facts.get(subject, {}))
    own |= {name: FactValue(0, name, value, "", standing.at.timestamp()) for name, value in values.items()}
    return replace(standing, facts={**standing.facts, subject: own})


@pytest.mark.parametrize(("rule", "fact", "who"), [
    ("TR-08", "download_contract_ratio", "nhà cung cấp đường truyền"), ("TR-16", "report_days_before_20", "nhà trường"),
])  # fmt: skip
def test_an_act_is_not_for_sale(house: Any, rule: str, fact: str, who: str) -> None:
    """What a provider owes or a school must hand in is no thing: the reason names who must act."""
    found = only(with_fact(standing_of(house), ("school", "cs"), **{fact: 0.1}), rule)
    assert [(why.why, why.fact) for why in left(found, "cs")[rule]] == [("act", fact)]
    (school,) = [school for school in found.schools if school.school_id == "cs"]
    assert who in left_of(found, school, "vi")[0].why


def test_a_price_file_without_the_thing(house: Any) -> None:
    """A file that sells no smart classroom, no repair and no fibre says so for each."""
    found = only(
        with_fact(standing_of(house), ("school", "cs"), fibre_lines=0, modern_labs=0),
        "TR-03", "TR-04", "TR-05", prices=items(ItemKind.SMART_ROOM, ItemKind.SCHOOL_PART),
    )  # fmt: skip
    whys = left(found, "cs")
    assert [(why.why, why.item) for why in whys["TR-03"]] == [("no_item", "smart_room")]
    assert [(why.why, why.fact) for why in whys["TR-05"]] == [("no_item", "fibre_lines")]
    assert [(why.why, why.fact) for why in whys["TR-04"]] == [("no_item", "modern_labs")]


def test_a_component_without_a_price_is_said_so(house: Any) -> None:
    """A camera is demanded, and the file sells none: no smart classroom is bought that would not count, and the list
    says that no price is known, for the room that is there too."""
    house.set_parameter("quan", "smart_camera", 1)
    house.room("smart", "cs")
    with house.sessions() as session:
        session.execute(update(Room).where(Room.id == "smart").values(kind="smart_classroom"))
        for name, number in (("display", 1), ("teacher_computer", 1), ("internet", 1), ("audio", 1), ("camera", 0)):
            session.add(
                Declared(id=name, school_id="cs", subject_kind="room", subject_id="smart", name=name, number=number,
                         declared_by="x", valid_from=LONG_AGO, recorded_at=LONG_AGO)
            )  # fmt: skip
        session.commit()
    found = only(standing_of(house), "PH-08", "TR-03")
    assert found.lines == ()
    assert found.undecided == ()
    assert left(found, "cs")["PH-08"] == [Obstacle(Why.NO_ITEM, fact="has_camera")]
    assert left(found, "th")["TR-03"] == [Obstacle(Why.NO_ITEM, fact="has_camera", item="room_part")]
    (school,) = [school for school in found.schools if school.school_id == "th"]
    vi, en = (left_of(found, school, language)[0].why for language in ("vi", "en"))
    assert vi.startswith("chưa có giá: tệp giá không có thiết bị của phòng nào")
    assert en.startswith("no price is known: the price file has no equipment of a room for it (The room has a camera)")


def test_a_smart_classroom_is_bought_with_all_that_is_demanded(house: Any) -> None:
    """Signal equipment is demanded, which the fitting-out does not bring: a part that does is bought with it."""
    house.set_parameter("quan", "smart_signal", 1)
    found = only(standing_of(house), "TR-03")
    assert {line.line.item.id for line in found.lines if line.school_id == "th"} == {"smart-room", "access-point"}
    assert found.after["th"]["school", "th", "TR-03"].state == "pass"
    house.set_parameter("quan", "smart_audio", 0)
    house.set_parameter("quan", "smart_signal", 0)
    found = only(standing_of(house), "TR-03")
    assert {line.line.item.id for line in found.lines} == {"smart-room"}


def test_nothing_is_bought_where_nothing_is_demanded(house: Any) -> None:
    """An organisation that demands no component judges no smart classroom, so buying one would mend nothing."""
    for name in ("display", "teacher_pc", "internet", "audio"):
        house.set_parameter("quan", f"smart_{name}", 0)
    found = only(standing_of(house), "TR-03")
    assert found.lines == ()
    assert left(found, "th")["TR-03"] == [Obstacle(Why.NO_ITEM, item="smart_room")]


def test_a_value_that_a_holiday_kept_fresh_has_its_reason(house: Any) -> None:
    """Memory that was seen 40 days ago, three weeks of holidays since: it is judged, so the list must not say that
    there is nothing to buy for it, but that nothing reaches the demand."""
    house.set_parameter("quan", "ram_min", 64 * GIB)
    standing = standing_of(house)
    first, last = ((NOW - timedelta(days=days)).date() for days in (30, 9))
    closed = Period(CalendarKind.HOLIDAY, first, last, DayHours(), "", 0, "x")
    old = FactValue(0, "ram_marketed_bytes", 8 * GIB, "", (NOW - timedelta(days=40)).timestamp())
    school = replace(standing.schools["cs"], calendar=Calendar([closed]))
    facts = {key: {**own, old.name: old} if key[0] == "device" else own for key, own in standing.facts.items()}
    found = only(replace(standing, facts=facts, schools={"cs": school}, units=()), "TB-01")
    assert {(why.why, why.parameter) for why in left(found, "cs")["TB-01"]} == {("none_fits", "ram_min")}


def test_a_limit_that_must_be_exceeded(house: Any) -> None:
    """Where more than one fibre line is demanded, an offer of exactly one does not do, and the reason says "above"."""
    standing = with_fact(standing_of(house), ("school", "cs"), fibre_lines=0)
    rules = tuple(
        rule.model_copy(update={"check": (rule.check[0].model_copy(update={"at_least": None, "above": 1.0}),)})
        if rule.id == "TR-05" else rule
        for rule in standing.rules
    )  # fmt: skip
    judge_by = copy(standing.judge_by)
    judge_by.rules = rules
    found = only(replace(standing, judge_by=judge_by), "TR-05")
    (why,) = left(found, "cs")["TR-05"]
    assert (why.why, why.operator, why.limit, why.best) == ("none_fits", "above", 1, 1)
    (school,) = [school for school in found.schools if school.school_id == "cs"]
    assert "cần trên 1, tốt nhất chỉ 1" in left_of(found, school, "vi")[0].why
    assert "above 1, the best has 1" in left_of(found, school, "en")[0].why


def test_a_pc_that_cannot_come_back(house: Any) -> None:
    """A room that lacks a PC in repair, and a price file that sells neither repair nor PC, says both."""
    for device in ("cs-0", "cs-1"):
        house.revise(Device, device, NOW - timedelta(minutes=1), state="in_repair")
    found = only(standing_of(house), "PH-01", prices=items(ItemKind.REPAIR, ItemKind.PC))
    causes = {(why.why, why.item, why.count, why.cause and why.cause.item) for why in left(found, "cs")["PH-01"]}
    assert causes == {("members", "", 2, "repair"), ("no_item", "pc", 0, None)}


def test_more_pcs_and_no_room_for_them(empty_house: Any) -> None:
    """Too many pupils for the one PC of a school without a room in the register: there is nowhere to put more."""
    empty_house.unit("cs", "school", "quan", "thcs")
    empty_house.device("pc", "cs", None)
    with empty_house.sessions() as session:
        session.add(
            Declared(id="hs", school_id="cs", subject_kind="school", subject_id="cs", name="students", number=500,
                     declared_by="x", valid_from=LONG_AGO, recorded_at=LONG_AGO)
        )  # fmt: skip
        session.commit()
    found = only(standing_of(empty_house), "TR-02")
    assert [why.why for why in left(found, "cs")["TR-02"]] == ["no_room"]


def test_what_was_perhaps_just_not_found_is_not_told_as_impossible(
    house: Any, no_proof_in_time: Callable[[], None]
) -> None:
    """When the time ran out, nobody knows that the budget does not reach: a verdict that something would mend says that
    the time ran out, one for which nothing is for sale says that."""
    for name in ("odd", "even"):
        house.device(name, "cs", "cs-room")
        house.speak(name, Role.LOW_MEMORY)
    no_proof_in_time()
    found = only(standing_of(house), "TB-01", budget=450_000)
    assert not found.is_proven
    assert [why.why for why in left(found, "cs")["TB-01"]] == ["time"]
    (school,) = [school for school in found.schools if school.school_id == "cs"]
    assert "hết thời gian tính" in left_of(found, school, "vi")[0].why
    assert "the time ran out" in left_of(found, school, "en")[0].why


def test_a_budget_that_does_not_reach_says_so(house: Any) -> None:
    """What money could mend is told from what it could not."""
    house.device("odd", "cs", "cs-room")
    house.speak("odd", Role.LOW_MEMORY)
    found = only(standing_of(house), "TB-01", "PH-02", budget=1000)
    assert {why.why for whys in left(found, "cs").values() for why in whys} == {"budget"}


def test_every_red_rule_has_a_reason_in_an_empty_price_file(house: Any) -> None:
    """With nothing but a cable to buy, and every fact at its worst, no red verdict is left without one."""
    standing = standing_of(house)
    for subject in list(standing.facts):
        worst = {
            name: 10.0**12 if name in ("silent_expected_s", "students_per_pc", "record_fields_missing") else 0.0
            for name, kind in FACTS.items()
            if kind.subject == subject[0]
        }
        standing = with_fact(standing, subject, **worst)
    rules = {rule.id for rule in standing.rules}
    kinds = [kind for kind in ItemKind if kind is not ItemKind.WORK]
    found = make_gap_list(standing, items(*kinds), only=frozenset(rules))
    assert_each_has_a_reason(found)
    red = {key for judged in found.before.values() for key, was in judged.items() if was.state == "fail"}
    assert len({rule for *_, rule in red}) >= 30
    told = {target for school in found.schools for target in (*school.no_measure, *school.paperwork)}
    green = {key for key in red if found.after[_home(found, key)][key].state == "pass"}
    assert red - green - told - set(found.above) == set()


def _home(found: GapList, key: tuple[str, str, str]) -> str:
    return next(unit for unit, judged in found.before.items() if key in judged)


def test_all_words_are_there() -> None:
    """Every kind of obstacle and item has words in both languages; acts are facts of the catalogue."""
    assert set(ITEMS) == {"", *ItemKind}
    assert set(FACTS) >= ACTS
    pack = load_pack("tanbinh-2023")
    for why in Why:
        obstacle = Obstacle(why, fact="ram_marketed_bytes", reason="no_data", members="device", count=1)
        texts = {obstacle_text(obstacle, "TB-01", pack, language) for language in ("vi", "en")}
        assert len(texts) == 2, why


# ---- lines -----------------------------------------------------------------------------------------------------------


def slow_line(house: Any, rate: float, *, students: float = 600) -> None:
    """Let the school cs have a line of VNPT, 600 pupils, and a capacity test that reached a rate."""
    with house.sessions() as session:
        session.add(
            Line(id="l", school_id="cs", name="chính", isp="VNPT", medium="fibre", contracted_down_bps=20_000_000,
                 contracted_up_bps=10_000_000, valid_from=LONG_AGO, recorded_at=LONG_AGO)
        )  # fmt: skip
        session.add(
            Declared(id="hs", school_id="cs", subject_kind="school", subject_id="cs", name="students", number=students,
                     declared_by="x", valid_from=LONG_AGO, recorded_at=LONG_AGO)
        )  # fmt: skip
        session.add(
            CampaignRun(run_id="run", campaign_id="camp", school_id="cs", lines=["l"], groups=[], isp="VNPT", attempt=1,
                        kind="capacity", mode="now", server_id="s", rate_bps=10**8, floor_dl=0, floor_ul=0,
                        contracted_dl=20_000_000, contracted_ul=10_000_000, due_at=NOW, slot_start=NOW, slot_end=NOW)
        )  # fmt: skip
        session.add(
            CampaignResult(run_id="run", school_id="cs", kind="capacity", t_start=NOW - timedelta(days=2), warmup_s=2,
                           window_s=6, streams=4, pace_bps=0, n_registered=3, n_online=3, n_started=3, n_valid=3,
                           emulated_n=0, agg_goodput_dl=rate, agg_goodput_ul=rate / 2, agg_ip_dl=rate,
                           agg_ip_ul=rate / 2, bytes_total=1, directions=[], by_line=[], rooms=[], whole_room=True,
                           whole_school=True, verdict="pass", reasons=[], cause_names=[], recorded_at=NOW)
        )  # fmt: skip
        session.commit()


def line(name: str, rate: int, price: int, isp: str = "") -> Item:
    """Make an offer of a line."""
    return Item.model_validate(
        {"id": name, "kind": "line", "price_vnd": price, "rate_bps": rate, "isp": isp,
         "name": {"vi": f"Đường truyền {isp}", "en": f"Line of {isp}"}}
    )  # fmt: skip


def test_a_slow_line_gets_the_cheapest_contract_that_is_fast_enough(house: Any) -> None:
    """18 Mbit/s for 600 pupils, 50 kbit/s each demanded: 30 Mbit/s are enough, so neither the cheaper 25 nor the dearer
    offers are taken; the list names the present contract, the new one, its price, and stays true when judged again."""
    slow_line(house, 18e6)
    offers = [line("b-25", 25_000_000, 2_000_000, "Viettel"), line("a-40", 40_000_000, 3_100_000, "VNPT"),
              line("c-35", 35_000_000, 3_000_000, "FPT"), line("d-1000", 10**9, 36_000_000, "FPT")]  # fmt: skip
    prices = items(ItemKind.LINE)
    prices = prices.model_copy(update={"item": (*prices.item, *offers)})
    found = only(standing_of(house), "TR-06", "QU-02", prices=prices)
    assert found.before["cs"]["school", "cs", "TR-06"].state == "fail"
    (bought,) = found.lines
    assert (bought.line.item.id, bought.count, bought.cost, bought.mends) == ("c-35", 1, 3_000_000, ("TR-06",))
    assert (bought.school_id, bought.room_id, bought.device_id) == ("cs", "", "")
    assert found.after["cs"]["school", "cs", "TR-06"].state == "pass"
    assert found.cost == 3_000_000
    assert note_text(bought, "en") == (
        "new contract: FPT 35 Mbit/s; in place of the present contract: VNPT 20 Mbit/s / 10 Mbit/s"
    )
    rows = list(load_workbook(io.BytesIO(workbook(found)))["Theo máy"].values)
    assert rows[1][3:7] == ("Đường truyền FPT", 1, 3_000_000, 3_000_000)
    assert rows[1][8] == "hợp đồng mới: FPT 35 Mbit/s; thay hợp đồng hiện có: VNPT 20 Mbit/s / 10 Mbit/s"


def test_a_line_that_nobody_sells_fast_enough(house: Any) -> None:
    """The fastest offer is too slow for so many pupils: the reason holds the rate demanded and the best there is."""
    slow_line(house, 18e6, students=60_000)
    found = only(standing_of(house), "TR-06")
    (why,) = left(found, "cs")["TR-06"]
    assert (why.why, why.item, why.fact, why.limit) == ("none_fits", "line", "download_per_student_bps", 50_000)
    assert why.best == pytest.approx(10**9 / 60_000)
    rows = [row for row in load_workbook(io.BytesIO(workbook(found)))["Chưa xử lý"].values if row[2] == "TR-06"]
    assert rows[0][0] == "cs"
    assert "tệp giá không có đường truyền nào đáp ứng TR-06" in str(rows[0][4])
    assert "the price file offers no line that satisfies TR-06" in str(rows[0][5])
