"""The pages: both languages, honest states, nothing inline, evidence on the school page and on the verdict page."""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

import phongmay_api.pages
from phongmay_api.pages.texts import EN, SYMBOLS, VI, Texts
from phongmay_rules.facts.catalogue import FACTS, basis
from phongmay_rules.model import Pack
from phongmay_store.register.access import Role
from phongmay_store.register.compliance import CurrentRun, State, Verdict
from phongmay_store.register.device import Device
from phongmay_store.register.organisation import Unit
from phongmay_store.register.place import Seat

pytestmark = pytest.mark.one_register

OWN, CHILD, PARENT = "zz-own-zz", "zz-child-zz", "zz-parent-zz"
TEMPLATES = Path(phongmay_api.pages.__file__).parent / "templates"


@pytest.fixture
def reader(client: TestClient, key: Callable[..., dict[str, str]]) -> TestClient:
    """A client that may look at the whole district."""
    client.headers.update(key(Role.VIEWER, "parent"))
    return client


def _fields(text: str) -> set[str]:
    """Give the values that a text shows; one that only chooses between one and many shows nothing."""
    return {name for _, name, spec, _ in string.Formatter().parse(text) if name and "|" not in (spec or "")}


def test_both_languages_have_the_same_texts() -> None:
    """Each text exists in both languages, with the same values to put in."""
    assert VI.keys() == EN.keys()
    assert {key for key in VI if _fields(VI[key]) != _fields(EN[key])} == set()
    assert SYMBOLS.keys() == {state.value for state in State}
    assert len(set(SYMBOLS.values())) == len(SYMBOLS)


_ONE_OF_MANY = re.compile(r"\b1 (?:marked |working )?(?!meets\b|pass\b|is\b|keeps\b)[A-Za-z]+s\b")


def test_english_knows_one_from_many() -> None:
    """Wherever a number stands before a noun, "1 rooms" is never said, and "2 room" neither."""
    english, vietnamese = Texts("en"), Texts("vi")
    for key, text in EN.items():
        names = {name for _, name, _, _ in string.Formatter().parse(text) if name}
        if not names:
            continue
        one, two = (english(key, **dict.fromkeys(names, value)) for value in ("1", 2))
        assert not _ONE_OF_MANY.search(one), one
        nouns = re.findall(r"\{[a-z]+\} \{[a-z]+:([^|}]+)\|([^}]+)\}", text)
        assert all(f"1 {single}" in one and f"2 {plural}" in two for single, plural in nouns), (one, two)
    assert english("subjects_room", count=1) == "1 room"
    assert english("subjects_room", count=21) == "21 rooms"
    assert vietnamese("subjects_room", count=1) == "1 phòng"


def test_texts_and_templates_agree() -> None:
    """Every text that a template names exists, and every text is used somewhere."""
    source = "".join(path.read_text("utf-8") for path in TEMPLATES.glob("*.html"))
    code = "".join(path.read_text("utf-8") for path in TEMPLATES.parent.glob("*.py") if "texts" not in path.name)
    named = set(re.findall(r"\bt\('([a-z_0-9]+)'[,)]", source)) | set(
        re.findall(r"words\(['\"]([a-z_0-9]+)['\"][,)]", code)
    )
    assert named - VI.keys() == set()
    families = set(re.findall(r"\.word\(['\"]([a-z_]+)['\"]", source + code))
    families |= {prefix.rstrip("_") for prefix in re.findall(r"['\"]([a-z]+_)['\"] [~+]", source + code)}
    used = named | {key for key in VI for family in families if key.startswith(family + "_")}
    quoted = set(re.findall(r"\"([a-z_0-9]+)\"", code))
    assert VI.keys() - used - quoted == set()


class _Inline(HTMLParser):
    """Notes whatever the content policy would refuse, and addresses elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "style" or name.startswith("on"):
                self.faults.append(f"<{tag} {name}>")
            if name in ("src", "href", "action") and value and re.match(r"(?i)([a-z]+:)?//|javascript:|data:", value):
                self.faults.append(f"<{tag} {name}={value}>")
            if name == "id" and value:
                self.ids.append(value)
        if tag in ("script", "style") and "src" not in dict(attrs):
            self.faults.append(f"<{tag}> inline")


def _pages(client: TestClient) -> list[str]:
    verdict = client.get("/api/v1/verdicts?state=fail").json()["items"][0]["id"]
    return [
        f"/units/unit-{PARENT}",
        f"/schools/unit-{OWN}?subject=device:pc-{OWN}",
        f"/schools/unit-{OWN}?subject=room:room-{OWN}",
        f"/verdicts/{verdict}",
        f"/schools/unit-{OWN}/declared",
        f"/schools/unit-{OWN}/declared?subject=device:pc-{OWN}",
        "/sign-in",
        "/nowhere",
    ]


@pytest.mark.parametrize("language", ["vi", "en"])
def test_pages_keep_to_the_content_policy(reader: TestClient, language: str) -> None:
    """No inline script or style, nothing from elsewhere, no id twice, in either language."""
    for path in _pages(reader):
        answer = reader.get(path, params=None if "?" in path else {"lang": language})
        parser = _Inline()
        parser.feed(answer.text)
        assert parser.faults == [], path
        assert sorted(parser.ids) == sorted(set(parser.ids)), path


def test_vietnamese_unless_switched(reader: TestClient) -> None:
    """Pages are Vietnamese whatever the browser prefers; the switch lasts, for the pages that follow too."""
    path = f"/units/unit-{PARENT}"
    assert '<html lang="vi">' in reader.get(path, headers={"Accept-Language": "en"}).text
    assert '<html lang="en">' in reader.get(path, params={"lang": "en"}).text
    assert '<html lang="en">' in reader.get(path).text
    assert '<html lang="vi">' in reader.get(path, params={"lang": "vi"}).text


def test_evidence_of_a_failing_pc(reader: TestClient) -> None:
    """The panel says what was measured, what is required, whose figure it is, and which envelope brought it."""
    page = reader.get(f"/schools/unit-{OWN}?subject=device:pc-{OWN}").text
    for piece in ("2 GB", "4 GB", "mức do quận đặt", f"pc-{OWN}/0a0b0c0d/7", "ma-zz-own-zz", "TB-01"):
        assert piece in page
    assert 'class="tile s-fail chosen"' in page


def test_names_are_escaped(reader: TestClient, register: Engine) -> None:
    """A name that looks like markup is shown as it is and never becomes markup."""
    with Session(register) as session:
        unit = session.scalars(Unit.at().where(Unit.id == f"unit-{OWN}")).one()
        unit.name = "<script>alert(1)</script>"
        session.commit()
    for path in (f"/units/unit-{PARENT}", f"/schools/unit-{OWN}"):
        page = reader.get(path).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


def test_a_stopped_engine_is_seen(reader: TestClient, register: Engine) -> None:
    """When nobody confirms verdicts any more, a pass or fail is shown as unknown, with a warning, and in the counts."""
    with Session(register) as session:
        for run in session.scalars(select(CurrentRun)):
            run.confirmed_at = datetime.now(UTC) - timedelta(hours=2)
        session.commit()
    page = reader.get(f"/schools/unit-{OWN}").text
    assert VI["stale"] in page
    assert "tile s-unknown" in page
    assert "tile s-fail" not in page
    assert {item["stale"] for item in reader.get("/api/v1/verdicts").json()["items"]} == {True}
    shares = reader.get("/api/v1/compliance").json()["unit"]["shares"]
    assert (shares["pass"], shares["fail"], shares["unknown"]) == (0, 0, shares["total"])
    panel = reader.get(f"/schools/unit-{OWN}?subject=device:pc-{OWN}").text
    said = [item["sentence"] for item in reader.get("/api/v1/verdicts").json()["items"]]
    assert "Chưa rõ: hệ thống đánh giá đã ngừng" in panel
    assert all(one.startswith("Chưa rõ: ") for one in said), "the sentence says what the sign beside it says"
    for claim in (">Đạt: ", ">Không đạt: "):
        assert claim not in panel


def test_sample_data_is_marked(reader: TestClient, register: Engine) -> None:
    """Invented schools carry the mark on every page that shows them, in both languages; real ones do not."""
    path = f"/schools/unit-{OWN}"
    assert "DỮ LIỆU MẪU" not in reader.get(path).text
    with Session(register) as session:
        session.scalars(Unit.at().where(Unit.id == f"unit-{OWN}")).one().is_sample = True
        session.commit()
        verdict = session.scalars(select(Verdict.id).where(Verdict.unit_id == f"unit-{OWN}")).first()
    for shown in (path, f"/units/unit-{PARENT}", f"/verdicts/{verdict}"):
        assert "DỮ LIỆU MẪU" in reader.get(shown).text
        assert "SAMPLE DATA" in reader.get(shown, params={"lang": "en"}).text
        reader.get(shown, params={"lang": "vi"})


def test_an_unjudged_device_is_unknown(reader: TestClient, register: Engine) -> None:
    """A PC without any verdict is drawn as unknown, never as a pass, and an empty seat is drawn as empty."""
    with Session(register) as session:
        for label, column in (("A2", 2), ("A4", 4)):
            session.add(
                Seat(id=f"seat-{label}", room_id=f"room-{OWN}", label=label, row=1, column=column,
                     valid_from=datetime(2026, 1, 1, tzinfo=UTC))
            )  # fmt: skip
        session.add(
            Device(id="pc-new", school_id=f"unit-{OWN}", room_id=f"room-{OWN}", seat_id="seat-A2", code="new",
                   kind="pc", valid_from=datetime(2026, 1, 1, tzinfo=UTC))
        )  # fmt: skip
        session.commit()
    page = reader.get(f"/schools/unit-{OWN}").text
    row = re.search(r'<table class="seats">.*?<tr>(.*?)</tr>', page, re.DOTALL)
    assert row
    cells = re.findall(r"<td>(.*?)</td>", row[1], re.DOTALL)
    kinds = [re.findall(r'class="tile (s-\w+|empty)', cell) for cell in cells]
    assert kinds == [["s-fail"], ["s-unknown"], [], ["empty"]]


def test_static_files(client: TestClient) -> None:
    """Only the own files are given out, with their types; nothing else on the disk can be reached."""
    page = client.get("/sign-in").text
    for path in re.findall(r'(?:href|src)="(/static/[^"]+)"', page):
        assert client.get(path).status_code == 200
    for name in ("texts.py", "..%2Ftexts.py", "%2e%2e/router.py"):
        assert client.get(f"/static/{name}").status_code == 404


def test_the_way_home_keeps_the_language(reader: TestClient) -> None:
    """Whoever asks for a language at the first address gets the page in it, whatever was looked at before."""
    reader.get(f"/units/unit-{PARENT}?lang=en")
    for language in ("vi", "en"):
        answer = reader.get(f"/?lang={language}", follow_redirects=False)
        assert answer.headers["location"].endswith(f"?lang={language}")
    assert "?" not in reader.get("/", follow_redirects=False).headers["location"]


@pytest.mark.parametrize(
    ("language", "words"), [("vi", ("Thủ công", "mức do quận đặt")), ("en", ("By hand", "district setting"))]
)
def test_the_catalogue_shows_every_clause_and_rule(reader: TestClient, pack: Pack, language: str, words: tuple) -> None:
    """What is judged, what is not and why, whose figure each parameter is: for every clause and rule of every pack."""
    page = reader.get(f"/rules?lang={language}").text
    text = unescape(page)
    assert all(f'id="{name}"' in page for name in (*pack.clauses, *pack.rules))
    assert all(clause.text.vi in text and clause.note.in_(language) in text for clause in pack.standard.clause)
    assert all(name in text for name in (*pack.standard.parameters, *words))
    assert all(f'id="fact-{name}"' in page and basis(kind, language) in text for name, kind in FACTS.items())
    assert set(re.findall(r'href="#([^"]+)"', page)) <= {*pack.clauses, *pack.rules, "content"}
