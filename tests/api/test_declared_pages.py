"""The pages of declared facts: a form is stored whole or not at all, a file is shown before it is stored."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from openpyxl import load_workbook
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from phongmay_api.pages import declared_texts
from phongmay_api.pages.import_words import in_language
from phongmay_store.register.access import Account, BrowserSession, Grant, Role
from phongmay_store.register.attachment import Attachment
from phongmay_store.register.base import utc_now
from phongmay_store.register.declared import Declared
from phongmay_store.register.enrolment import token_hash
from phongmay_store.register.importing_columns import BASELINE, DECLARED, LINES, ROOMS
from phongmay_store.register.importing_school import preview_school_file

pytestmark = pytest.mark.one_register

OWN, SIBLING = "zz-own-zz", "zz-sibling-zz"
PAGE = f"/schools/unit-{OWN}/declared"
PICTURE = (Path(__file__).parents[1] / "unit" / "store" / "pictures" / "two-colours.jpg").read_bytes()
GIB = 2**30


@pytest.fixture
def school(client: TestClient, register: Engine) -> TestClient:
    """A technician of the own school in a browser; forms bring the token `f`."""
    with Session(register) as session:
        session.add(Account(id="user-1", login="vp", password_hash="x"))
        session.add(Grant(account_id="user-1", unit_id=f"unit-{OWN}", role=Role.TECHNICIAN.value))
        expires = utc_now() + timedelta(hours=1)
        session.add(BrowserSession(token_hash=token_hash("t"), account_id="user-1", form_token="f", expires_at=expires))
        session.commit()
    client.cookies.set("phongmay_session", "t")
    return client


def form(**fields: str) -> dict[str, str]:
    """Give the fields of a form about the own PC."""
    return {"form_token": "f", "subject": f"device:pc-{OWN}", "declared_by": "Ban kiểm kê", "since": "2026-09-05"} | {
        name.replace("__", "-"): text for name, text in fields.items()
    }


def declared(register: Engine) -> dict[str, tuple[float | str, str]]:
    """Give value and evidence of what is declared of the own PC."""
    with Session(register) as session:
        rows = session.scalars(Declared.at().where(Declared.subject_id == f"pc-{OWN}"))
        return {row.name: (row.value, row.attachment_sha256) for row in rows}


def test_values_are_stored_with_their_evidence(school: TestClient, register: Engine) -> None:
    """Two values and a photograph in one form: stored together, shown again, the file linked and without its name."""
    answer = school.post(
        PAGE, data=form(v__ram="8", was__ram="", v__os="windows 11-24H2", was__os=""),
        files={"file": ("nguyen-van-a.jpg", PICTURE, "text/html")},
    )  # fmt: skip
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}?subject=device:pc-{OWN}&done=2")
    found = declared(register)
    assert {name: value for name, (value, _) in found.items()} == {"ram": 8 * GIB, "os": "windows 11-24H2"}
    evidence = found["ram"][1]
    assert evidence == found["os"][1] != ""
    page = unescape(school.get(answer.headers["location"]).text)
    assert "Đã ghi 2 thay đổi" in page
    assert f"/attachments/{evidence}" in page
    assert "Ban kiểm kê, từ 05/09/2026" in page
    assert "nguyen-van-a" not in page


def test_a_day_is_written_as_people_write_it(school: TestClient, register: Engine) -> None:
    """12/10/2027 on a Vietnamese page, 2027-10-12 on an English one; the field can be sent again as it stands."""
    assert school.post(PAGE, data=form(v__esu_until="12/10/2027", was__esu_until="")).status_code == 303
    assert declared(register)["esu_until"][0] == "2027-10-12"
    for language, shown in (("vi", "12/10/2027"), ("en", "2027-10-12")):
        page = unescape(school.get(f"{PAGE}?subject=device:pc-{OWN}&lang={language}").text)
        assert f'value="{shown}"' in page
        fields = form(v__esu_until="1/1/2028", was__esu_until=shown)
        assert school.post(f"{PAGE}?lang={language}", data=fields).status_code == 303
        assert declared(register)["esu_until"][0] == "2028-01-01"
        school.post(PAGE, data=form(v__esu_until="2027-10-12", was__esu_until="01/01/2028"))
    before = sheet(f",ma-{OWN},esu_until,2028-01-11,date")
    file = {"file": ("a.csv", before)}
    preview = school.post(f"{PAGE}/file?lang=vi", data={"form_token": "f", "since": "2026-09-05"}, files=file)
    assert re.search(r"Trước</span>12/10/2027.*<b>11/01/2028", unescape(preview.text))


@pytest.mark.parametrize(
    ("fields", "place", "said"),
    [
        ({"v__ram": "nhiều"}, "ram", "Cần một số từ 0,25 đến 4096 GB"),
        ({"v__ram": "8", "v__cpu_threads": "2,5"}, "cpu_threads", "Cần một số nguyên từ 1 đến 1024"),
        ({"v__ram": "8", "declared_by": " "}, "declared_by", "Cần ghi chức vụ hoặc bộ phận"),
        ({"v__ram": "8", "since": "2099-01-01"}, "since", "Cần một ngày từ năm 2000 đến hôm nay"),
        ({"v__ram": "8", "since": ""}, "since", "Cần một ngày"),
        ({"v__ram": "8", "was__ram": "4"}, "ram", "Người khác vừa đổi mục này"),
    ],
)
def test_a_fault_stands_beside_its_field_and_nothing_is_stored(
    school: TestClient, register: Engine, fields: dict[str, str], place: str, said: str
) -> None:
    """One wrong field keeps the whole form out; what was entered is still there."""
    answer = school.post(PAGE, data=form(**{"was__ram": "", "was__cpu_threads": "", **fields}))
    assert answer.status_code == 422
    page = unescape(answer.text)
    assert re.search(rf'id="e-{place}">[^<]*{re.escape(said)}', page), page
    assert f'value="{fields["v__ram"]}"' in page
    assert declared(register) == {}


@pytest.mark.parametrize(
    ("payload", "said"),
    [(b"<html><script>", "không phải JPEG, PNG hay PDF"), (PICTURE[:-5], "bị hỏng"), (b"", "Tệp rỗng")],
)
def test_a_wrong_file_keeps_the_value_out_too(school: TestClient, register: Engine, payload: bytes, said: str) -> None:
    """Value and evidence belong together: without the file that was meant, the value is not stored."""
    answer = school.post(PAGE, data=form(v__ram="8", was__ram=""), files={"file": ("a.jpg", payload)})
    assert answer.status_code == 422
    assert said in unescape(answer.text)
    assert declared(register) == {}
    with Session(register) as session:
        assert len(session.scalars(select(Attachment).where(Attachment.unit_id == f"unit-{OWN}")).all()) == 1


def test_a_missing_folder_is_a_sentence_on_the_page(school: TestClient, register: Engine, tmp_path: Path) -> None:
    """The person learns that nothing was stored and whom to tell."""
    (tmp_path / "attachments").rename(tmp_path / "elsewhere")
    answer = school.post(PAGE, data=form(v__ram="8", was__ram=""), files={"file": ("a.jpg", PICTURE)})
    assert answer.status_code == 503
    assert "Máy chủ hiện không lưu được tệp; chưa ghi gì" in unescape(answer.text)
    assert declared(register) == {}


def test_evidence_for_a_value_that_stays(school: TestClient, register: Engine) -> None:
    """A ticked item gets the file, an untouched one does not; a file that goes with nothing is told."""
    school.post(PAGE, data=form(v__ram="8", was__ram="", v__os="windows 11-24H2", was__os=""))
    fields = form(v__ram="8", was__ram="8", attach__ram="on", v__os="windows 11-24H2", was__os="windows 11-24H2")
    assert school.post(PAGE, data=fields, files={"file": ("a.jpg", PICTURE)}).status_code == 303
    found = declared(register)
    assert found["ram"][1] != ""
    assert found["os"][1] == ""
    del fields["attach-ram"]
    answer = school.post(PAGE, data=fields, files={"file": ("a.jpg", PICTURE)})
    assert (answer.status_code, "Chưa có mục nào được sửa" in unescape(answer.text)) == (422, True)
    untouched = form(v__ram="", was__ram="", attach__cpu_bits="on", v__cpu_bits="", was__cpu_bits="")
    answer = school.post(PAGE, data=untouched, files={"file": ("a.jpg", PICTURE)})
    assert "hãy khai báo giá trị" in unescape(answer.text)


def test_an_emptied_field_takes_back_and_the_old_stays_on_record(school: TestClient, register: Engine) -> None:
    """Nothing is declared then, the page still tells what was; the same form sent twice changes nothing more."""
    school.post(PAGE, data=form(v__ram="8", was__ram=""))
    school.post(PAGE, data=form(v__ram="16", was__ram="8"))
    assert school.post(PAGE, data=form(v__ram="", was__ram="16")).headers["location"].endswith("done=1")
    assert declared(register) == {}
    page = unescape(school.get(f"{PAGE}?subject=device:pc-{OWN}").text)
    assert "Các lần khai báo" in page
    assert "<b>16 GB</b>" in page


def test_a_form_of_another_site_is_refused(school: TestClient, register: Engine) -> None:
    """Without the session's form token nothing is stored, with a file or without."""
    data = form(v__ram="8", was__ram="") | {"form_token": "guess"}
    assert school.post(PAGE, data=data).status_code == 403
    assert school.post(PAGE, data=data, files={"file": ("a.jpg", PICTURE)}).status_code == 403
    assert declared(register) == {}


def test_a_subject_of_another_school_is_not_there(school: TestClient) -> None:
    """The address of the own school opens no other school's things."""
    for subject in (f"device:pc-{SIBLING}", f"room:room-{SIBLING}", f"school:unit-{SIBLING}", "verdict:1", "x"):
        assert school.get(PAGE, params={"subject": subject}).status_code == 404
        assert school.post(PAGE, data=form(v__ram="8", was__ram="") | {"subject": subject}).status_code == 404


def test_who_may_only_look_gets_no_form(client: TestClient, key: Callable[..., dict[str, str]]) -> None:
    """A viewer sees what is declared, no field and no button."""
    page = client.get(PAGE, headers=key(Role.VIEWER))
    assert page.status_code == 200
    assert "chỉ xem được" in unescape(page.text)
    assert 'method="post" action="/schools' not in page.text
    assert client.get(f"{PAGE}/file", headers=key(Role.VIEWER)).status_code == 403


def sheet(*rows: str) -> bytes:
    """Make a file of declared values."""
    head = "school,room,code,name,value,unit,declared_by"
    return "\n".join([head, *(f"moet:{OWN},{row},Ban kiểm kê" for row in rows), ""]).encode()


def hidden(page: str) -> dict[str, str]:
    """Give the hidden fields of the confirmation."""
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page[page.index("declared/file/apply") :]))


def test_a_file_is_shown_then_stored(school: TestClient, register: Engine) -> None:
    """Marketed units in the preview; confirmed twice it is stored once."""
    payload = sheet(f",ma-{OWN},ram,8,GB", f'Phòng {OWN},,area,"52,5",m2')
    preview = school.post(
        f"{PAGE}/file", data={"form_token": "f", "since": "2026-09-05"}, files={"file": ("kê.csv", payload)}
    )
    page = unescape(preview.text)
    for piece in ("Bộ nhớ RAM", "8 GB", "52,5 m²", "Chưa ghi gì", "kê.csv"):
        assert piece in page, piece
    assert declared(register) == {}
    for _ in range(2):
        done = school.post(f"{PAGE}/file/apply", data=hidden(preview.text))
        assert done.status_code == 303
    assert declared(register) == {"ram": (8 * GIB, "")}
    again = school.post(
        f"{PAGE}/file", data={"form_token": "f", "since": "2026-09-05"}, files={"file": ("kê.csv", payload)}
    )
    assert "không còn gì để ghi" in unescape(again.text)


def test_a_moved_register_gives_the_new_preview(school: TestClient, register: Engine) -> None:
    """The value that somebody stored in between is shown as "before", and the new preview can be confirmed."""
    payload = sheet(f",ma-{OWN},ram,8,GB")
    preview = school.post(
        f"{PAGE}/file", data={"form_token": "f", "since": "2026-09-05"}, files={"file": ("a.csv", payload)}
    )
    school.post(PAGE, data=form(v__ram="4", was__ram=""))
    moved = school.post(f"{PAGE}/file/apply", data=hidden(preview.text))
    assert moved.status_code == 409
    assert "Sổ đăng ký đã thay đổi" in unescape(moved.text)
    assert re.search(r"Trước</span>4 GB.*<b>8 GB", unescape(moved.text))
    assert declared(register)["ram"][0] == 4 * GIB
    assert school.post(f"{PAGE}/file/apply", data=hidden(moved.text)).status_code == 303
    assert declared(register)["ram"][0] == 8 * GIB


FAULTY = [
    sheet(f",ma-{OWN},ram,viel,GB"), sheet(f",ma-{OWN},ram,8,MB"), sheet(",PC-9,ram,8,GB"), sheet(",,ram,8,GB"),
    sheet(f",ma-{OWN},rum,8,GB"), sheet("Phòng 9,,area,50,m2"), sheet(",,area,50,m2"),
    sheet(f"Phòng {OWN},,audio,wohl,"), sheet(",,students,1.000,"), sheet(",,students,900,người"),
    sheet(",,students,7.5,"), "Việc;Ai làm\nGọi VNPT;Văn thư\n".encode(),
    f"school,name,contracted_down_mbps\nmoet:{OWN},Chính,1.000\n".encode(),
    sheet(f",ma-{OWN},ram,8,GB", f",ma-{OWN},ram,9,GB"), sheet().replace(b"value", b"valu"), sheet(),
    sheet(f",ma-{OWN},ram,8,GB").replace(b"zz-own", b"zz-sibling"), b"school,name\nmoet:1,A,B\n", b"\xff\xfe",
    b"a" * 300,
    sheet(f",ma-{OWN},ram,8,GB").replace(b"Ban ki\xe1\xbb\x83m k\xc3\xaa", b""),
    b"school,name,value,declared_by,value\n",
    f"school,name,kind,class_size\nmoet:{OWN},Phòng mới,computer_room,30\n".encode(),
    f"school,name,kind,class_size\nmoet:{OWN},Phòng {OWN},office,999\n".encode(),
    f"school,name,kind,class_size\nmoet:{OWN},Phòng {OWN},office,30\n".encode(),
    f"school,code,state\nmoet:{OWN},ma-{OWN},retired\n".encode(), b"#" * (2 * 2**20 + 1),
    f"school,name,contracted_down_mbps\nmoet:{OWN},Chính,sehr\n".encode(),
    f"school,name,source_addresses\nmoet:{OWN},Chính,sehr\n".encode(),
    sheet(f",ma-{OWN},esu_until,sang năm,"), sheet(",,esu_until_school,31-12-2027,"),
    f"school,code,room,kind,declared_by\nmoet:{OWN},PC-9,Phòng {OWN},display,x\n".encode(),
    f"school,code,room,kind,declared_by\nmoet:{OWN},ma-{OWN},Phòng {OWN},teacher_pc,x\n".encode(),
    f"school,code,room,declared_by\nmoet:{OWN},PC-9,Phòng 9,x\n".encode(),
    f"school,code,declared_by\nmoet:{OWN},PC-9,x\n".encode(),
]  # fmt: skip
JSONS = [b"{", b"[]", b'{"computers": [1]}', b'{"computers": [{"code": []}]}', b'{"computers": [{"a": NaN}]}',
         b'{"computers": []}', b'{"computers": [{"a": 1, "a": 2}]}']  # fmt: skip


@pytest.mark.parametrize(
    ("name", "payload"),
    [*(("a.csv", payload) for payload in FAULTY), *(("a.json", payload) for payload in JSONS),
     ("a.xlsx", b"PK no"), ("a.ods", b"x"), ("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")],
    ids=range(len(FAULTY) + len(JSONS) + 3),
)  # fmt: skip
def test_every_fault_is_told_in_vietnamese(register: Engine, name: str, payload: bytes) -> None:
    """The import speaks English; on a Vietnamese page none of its sentences stays English."""
    with Session(register) as session:
        preview = preview_school_file(session, f"unit-{OWN}", name, payload, utc_now())
    assert preview.errors
    for fault in preview.errors:
        told = in_language(fault.expected, "vi")
        assert told != fault.expected
        assert not re.search(r"\b(expected|the|is|are|only|read|here|column|a day|such|commas|enter|has)\b", told), told
        assert in_language(fault.expected, "en") == fault.expected


def test_faults_name_row_and_column_and_offer_no_confirmation(school: TestClient) -> None:
    """What is wrong stands with its row, column and value; there is nothing to confirm."""
    payload = sheet(f",ma-{OWN},cpu_bits,64,bit", f",ma-{OWN},ram,viel,GB")
    answer = school.post(
        f"{PAGE}/file", data={"form_token": "f", "since": "2026-09-05"}, files={"file": ("a.csv", payload)}
    )
    page = unescape(answer.text)
    assert re.search(r"Dòng</span>3</td>.*value</td>.*viel</td>.*cần một số từ 0.25 đến 4096 GB", page)
    assert "declared/file/apply" not in page


@pytest.mark.parametrize(
    ("data", "files", "said"),
    [
        ({"since": "2026-09-05"}, None, "Chưa chọn tệp"),
        ({"since": "hôm qua"}, {"file": ("a.csv", b"x")}, "Cần một ngày"),
        ({"since": "2026-09-05"}, {"file": ("a" * 130 + ".csv", b"x")}, "Tên tệp quá dài"),
    ],
)
def test_a_form_without_file_or_day_comes_back(school: TestClient, data: dict[str, str], files: Any, said: str) -> None:
    """What is lacking is said on the page."""
    answer = school.post(f"{PAGE}/file", data={"form_token": "f", **data}, files=files)
    assert answer.status_code == 422
    assert said in unescape(answer.text)


def test_a_confirmation_that_is_none_is_refused(school: TestClient) -> None:
    """A form that no preview made is an error page, not a crash."""
    for data in ({}, {"content": "%%%", "name": "a.csv", "since": "2026-09-05"}):
        assert school.post(f"{PAGE}/file/apply", data={"form_token": "f", **data}).status_code == 422


def test_the_template_has_the_sheets_that_may_be_sent(school: TestClient, tmp_path: Path) -> None:
    """Headers of every sheet and a guide that names the school's own id; sent back as it is, it holds no row."""
    answer = school.get(f"{PAGE}/template.xlsx")
    assert "attachment" in answer.headers["content-disposition"]
    path = tmp_path / "khai-bao.xlsx"
    path.write_bytes(answer.content)
    book = load_workbook(path)
    assert book.sheetnames == ["guide", *(kind.name for kind in (DECLARED, BASELINE, ROOMS, LINES))]
    guide = [cell for row in book["guide"].iter_rows(values_only=True) for cell in row]
    assert f"moet:{OWN}" in guide
    sent = school.post(
        f"{PAGE}/file",
        data={"form_token": "f", "since": "2026-09-05"},
        files={"file": ("khai-bao.xlsx", answer.content)},
    )
    assert "không có dòng dữ liệu nào" in unescape(sent.text)


def test_both_languages_say_the_same() -> None:
    """The words of these pages exist in both languages."""
    assert declared_texts.VI.keys() == declared_texts.EN.keys()


def test_a_district_enters_its_report(client: TestClient, register: Engine) -> None:
    """The page of a unit above schools has its reports only, stores a day with its evidence, refuses one to come."""
    with Session(register) as session:
        session.add(Account(id="user-2", login="pgd", password_hash="x"))
        session.add(Grant(account_id="user-2", unit_id="unit-zz-parent-zz", role=Role.OFFICER.value))
        expires = utc_now() + timedelta(hours=1)
        session.add(BrowserSession(token_hash=token_hash("o"), account_id="user-2", form_token="f", expires_at=expires))
        session.commit()
    client.cookies.set("phongmay_session", "o")
    page = "/units/unit-zz-parent-zz/declared"
    assert f'href="{page}"' in client.get("/units/unit-zz-parent-zz").text
    shown = unescape(client.get(page).text)
    assert "Ngày gửi báo cáo quý 2 về Sở Giáo dục và Đào tạo" in shown
    assert "declared/file" not in shown
    fields = {
        "form_token": "f",
        "subject": "district:unit-zz-parent-zz",
        "declared_by": "Văn thư",
        "since": "2024-06-24",
    }
    wrong = client.post(page, data=fields | {"v-quarterly_report_q2": "24/06/2999", "was-quarterly_report_q2": ""})
    assert wrong.status_code == 422
    assert "Cần một ngày từ năm 2000 đến hôm nay" in unescape(wrong.text)
    done = client.post(
        page, data=fields | {"v-quarterly_report_q2": "24/06/2024", "was-quarterly_report_q2": ""},
        files={"file": ("bien-nhan.jpg", PICTURE, "image/jpeg")},
    )  # fmt: skip
    assert (done.status_code, done.headers["location"]) == (
        303, f"{page}?subject=district:unit-zz-parent-zz&done=1",
    )  # fmt: skip
    after = unescape(client.get(done.headers["location"]).text)
    assert "24/06/2024" in after
    assert "Tệp chứng minh" in after
    assert "Toàn trường" in unescape(client.get(f"/units/unit-{OWN}/declared").text), "a school is a unit, too"
    assert client.get("/schools/unit-zz-parent-zz/declared").status_code == 404
    assert client.get(page, params={"lang": "en"}).status_code == 200
