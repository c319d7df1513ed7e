"""A new decision text arrives: look, then publish; old verdicts stand. The steps of docs/how-to-new-decision.md."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from phongmay.main import main
from phongmay.settings import load as load_settings
from phongmay_rules.adopting import AdoptionError, effect, publish, read_annex
from phongmay_rules.errors import PackError
from phongmay_rules.explain import sentence
from phongmay_rules.loader import load_packs, packs_in_force
from phongmay_rules.replaying import replay
from phongmay_store.register.access import Account, Grant
from phongmay_store.register.compliance import Fact, Parameter, Verdict

pytestmark = pytest.mark.one_register

GUIDE = Path(__file__).parents[3] / "docs" / "how-to-new-decision.md"
REASON = "QĐ 000 có hiệu lực từ 01/11/2026"


@pytest.fixture
def annex(tmp_path: Path) -> Path:
    """The file that the how-to shows."""
    found = re.search(r"```toml\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    assert found
    path = tmp_path / "annex.toml"
    path.write_text(found[1], "utf-8")
    return path


def _config(house: Any, folder: Path) -> str:
    path = folder / "phongmay.toml"
    url = house.engine.url.render_as_string(hide_password=False)
    path.write_text(
        f'[store]\nregister_url = "{url}"\nseries_path = "{folder / "series.db"}"\n',
        "utf-8",
    )
    return str(path)


def _rows(house: Any) -> list[int]:
    with house.sessions() as session:
        return [session.scalar(select(func.count()).select_from(kind)) for kind in (Fact, Verdict, Parameter)]


def _account(house: Any, login: str, unit: str, role: str) -> None:
    with house.sessions() as session:
        session.add(Account(id=login, login=login, password_hash="-"))
        session.add(Grant(account_id=login, unit_id=unit, role=role))
        session.commit()


def test_the_how_to_step_by_step(house: Any, tmp_path: Path, annex: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The difference is shown verdict by verdict and nothing written; publishing records it; the past replays."""
    _account(house, "quan1", "quan", "officer")
    now = datetime.now(UTC)
    for school in ("cs", "th"):
        for number in range(3):
            house.speak(f"{school}-{number}", at=now, minutes=5)
    house.evaluate(at=now)
    before = _rows(house)
    config = _config(house, tmp_path)

    assert main(["--config", config, "rules", "adopt-annex", str(annex)]) == 0
    said = capsys.readouterr().out
    assert "ram_min: 4 GB -> 16 GB  (000/QĐ-UBND, 01/11/2026, Phụ lục I, dòng 3)" in said
    assert "TB-01  device   cs-0: pass (met) -> fail (below)" in said
    assert "TB-01: 6 pass -> fail" in said
    assert "PH-02: 2 pass -> fail" in said
    assert "nothing was written" in said
    assert _rows(house) == before

    publish = ["--config", config, "rules", "adopt-annex", str(annex), "--publish", "--by", "quan1"]
    assert main([*publish, "--reason", REASON]) == 0
    assert "2 parameter(s) recorded" in capsys.readouterr().out
    with house.sessions() as session:
        row = session.scalars(select(Parameter).where(Parameter.name == "ram_min")).one()
        assert (row.unit_id, row.pack_id, row.value, row.set_by) == ("quan", "tanbinh-2023", 16 * 2**30, "quan1")
        assert row.reason == REASON
        assert row.source == "000/QĐ-UBND, 01/11/2026, Phụ lục I, dòng 3"

    house.evaluate(at=now + timedelta(minutes=1))
    assert house.state("cs-0", "TB-01") == ("fail", "below")
    verdict = house.verdict("cs-0", "TB-01")
    assert verdict.required["set_by"] == "quan"
    told = sentence(verdict, house.pack.rules["TB-01"], "vi")
    assert "mức do quận đặt theo 000/QĐ-UBND, 01/11/2026, Phụ lục I, dòng 3" in told, "the document is named"
    with house.sessions() as session:
        past = replay(session, "cs", now)
        assert past.differences == ()
        assert past.judged["device", "cs-0", "TB-01"].state == "pass"

    assert main(["--config", config, "rules", "adopt-annex", str(annex)]) == 0
    said = capsys.readouterr().out
    assert "in force already" in said
    assert "0 of " in said


def test_what_is_shown_is_what_comes(house: Any, tmp_path: Path, annex: Path) -> None:
    """The states that the preview promises are those of the next evaluation, for every verdict."""
    _account(house, "quan1", "quan", "officer")
    at = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
    house.evaluate(at=at)
    with house.sessions() as session:
        found = effect(session, house.pack, read_annex(annex, house.pack).values, "quan", at)
        publish(session, house.pack, found, unit_id="quan", signed_by="quan1", reason="r")
        session.commit()
    assert found.changes
    house.evaluate(at=at)
    for change in found.changes:
        assert house.state(change.key[1], change.key[2])[0] == change.after.state


def _step_4() -> list[tuple[str, str]]:
    """Give the blocks of the how-to's last step: (language, text)."""
    text = GUIDE.read_text("utf-8").split("**4. ")[1]
    return re.findall(r"```(\w*)\n(.*?)```", text, re.DOTALL)


def _put(block: str) -> None:
    """Do what the how-to shows: its keys and tables take the places of those of the file that it names."""
    first, _, new = block.partition("\n")
    path = Path(first.removeprefix("# "))
    text = path.read_text("utf-8")
    for part in re.split(r"\n\n", new.strip()):
        head = part.splitlines()[0]
        old = rf"^{re.escape(head)}$(\n\w+ = .*)*" if head.startswith("[") else rf"^{head.split(' = ')[0]} = .*$"
        assert len(re.findall(old, text, re.MULTILINE)) == 1, head
        text = re.sub(old, lambda _, part=part: part, text, count=1, flags=re.MULTILINE)
    path.write_text(text, "utf-8")


def test_a_new_version_of_the_pack_step_by_step(
    house: Any, tmp_path: Path, annex: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Step 4 as it is written: the moved cases are listed and the pack refused until they show the new limit; then it
    judges in the document's name, old verdicts stand and replay, and a silent change of the pack is found."""
    _account(house, "quan1", "quan", "officer")
    at = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
    house.evaluate(at=at)
    config = _config(house, tmp_path)
    publish = ["--config", config, "rules", "adopt-annex", str(annex), "--publish", "--by", "quan1"]
    assert main([*publish, "--reason", REASON]) == 0
    house.evaluate(at=at + timedelta(minutes=1))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules").symlink_to(GUIDE.parents[1] / "rules", target_is_directory=True)
    copy, changes, try_it, moved, mend, name_it, look = _step_4()
    capsys.readouterr()

    subprocess.run(copy[1], shell=True, check=True)
    _put(changes[1])
    assert main(try_it[1].split()[1:]) == 1
    listed = capsys.readouterr().out.splitlines()
    assert listed[:-1] == moved[1].splitlines()
    with pytest.raises(PackError, match=r"TB-01\.toml.*'8 GB'"):
        load_packs(["./quan-2026"])
    edits, commands = mend[1].split("phongmay", 1)
    subprocess.run(edits, shell=True, check=True)
    for command in f"phongmay{commands}".splitlines():
        assert main(command.split()[1:]) == 0, command
    said = capsys.readouterr().out
    assert "tanbinh-2023 2026.1" in said

    (tmp_path / "phongmay.toml").write_text(Path(config).read_text("utf-8") + name_it[1], "utf-8")
    house.pack = packs_in_force(load_settings(Path(config)).rules)
    before = house.verdict("cs-0", "TB-01")
    house.evaluate(at=at + timedelta(minutes=2))
    after = house.verdict("cs-0", "TB-01")
    assert (after.state, after.required["number_from"]) == ("fail", "guidance")
    assert "set_by" not in after.required, "the document's figure now, the district's setting no longer"
    assert after.pack_hash != before.pack_hash
    with house.sessions() as session:
        stored = session.get_one(Verdict, before.id)
        assert (stored.state, stored.required["number_from"]) == ("fail", "district_setting")
        for minutes, state in ((0, "pass"), (1, "fail"), (2, "fail")):
            past = replay(session, "cs", at + timedelta(minutes=minutes))
            assert past.differences == ()
            assert past.judged["device", "cs-0", "TB-01"].state == state
    again, verify = look[1].splitlines()
    assert main(["--config", config, *again.replace("ID", "cs").split()[1:]]) == 0
    assert " 0 differ" in capsys.readouterr().out
    assert main(["--config", config, *verify.split()[1:]]) == 0

    standard = Path("quan-2026/standard.toml")
    standard.write_text(standard.read_text("utf-8").replace("annex I, line 3", "annex I, line 4"), "utf-8")
    capsys.readouterr()
    assert main(["--config", config, *verify.split()[1:]]) == 1
    assert "changed without a new version" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"ram_min"', '"ram_mim"', "no pack in force has the parameter 'ram_mim'"),
        ('"students_per_pc"', '"class_cap_primary"', "is a figure of a law and fixed"),
        ('"students_per_pc"', '"ram_min"', "stands there twice"),
        ("value = 1\n", "value = 50\n", "out of bounds; expected 1 to 5"),
        ('source = "Phụ lục I, dòng 7"', "", "key 'figure.1.source'"),
        ("issued = ", "isued = ", "key 'issued'"),
        ("[[figure]]", "[[figure", "cannot be read"),
    ],
)
def test_a_wrong_file_is_refused(house: Any, annex: Path, old: str, new: str, said: str) -> None:
    """A misspelt or impossible figure is told by file and name, before anything is judged."""
    text = annex.read_text("utf-8")
    assert old in text
    annex.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(AdoptionError, match=re.escape(said)):
        read_annex(annex, house.pack)


@pytest.mark.parametrize(("login", "more"), [("nobody", []), ("truong", []), ("quan1", ["--unit", "nowhere:1"])])
def test_only_an_officer_publishes(
    house: Any, tmp_path: Path, annex: Path, login: str, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the right, a known unit, and a reason, nothing is recorded."""
    _account(house, "quan1", "quan", "officer")
    _account(house, "truong", "cs", "technician")
    house.evaluate()
    command = ["--config", _config(house, tmp_path), "rules", "adopt-annex", str(annex), "--publish", "--by", login]
    assert main(command) == 2
    assert main([*command, "--reason", REASON, *more]) == 2
    assert capsys.readouterr().err.count("\n") == 2
    assert _rows(house)[2] == 0


def test_a_unit_sets_a_parameter(house: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """First what it would change, then who, when and why; below the unit it holds, beside it nothing changes."""
    _account(house, "quan1", "quan", "officer")
    now = datetime.now(UTC)
    house.evaluate(at=now)
    config = _config(house, tmp_path)
    before = _rows(house)
    command = ["--config", config, "rules", "set", "ram_min=16GiB", "--unit", "phuong"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "ram_min: 4 GB -> 16 GB\n" in said
    assert "TB-01: 3 pass -> fail" in said
    assert _rows(house) == before
    assert main([*command, "--publish", "--by", "quan1"]) == 2
    assert "--publish needs --by LOGIN and --reason TEXT" in capsys.readouterr().err
    assert main([*command, "--publish", "--by", "quan1", "--reason", "máy mới"]) == 0
    house.evaluate(at=now + timedelta(minutes=1))
    assert house.state("th-0", "TB-01") == ("fail", "below")
    assert house.state("cs-0", "TB-01") == ("pass", "met")
    capsys.readouterr()
    assert main(["--config", config, "rules", "parameters", "--unit", "th"]) == 0
    line = next(text for text in capsys.readouterr().out.splitlines() if text.startswith("ram_min "))
    assert "16 GB" in line
    assert "phuong, quan1" in line
    assert "máy mới" in line
    with house.sessions() as session:
        session.execute(update(Parameter).values(recorded_at=datetime(2026, 3, 14, 18, 30, tzinfo=UTC)))
        session.commit()
    for words in (["parameters", "--unit", "th"], ["show", "TB-01", "--unit", "th"]):
        assert main(["--config", config, "rules", *words]) == 0
        assert "2026-03-15: máy mới" in capsys.readouterr().out, "half past one in the night, in Viet Nam"
    assert main(["--config", config, "rules", "parameters"]) == 0
    line = next(text for text in capsys.readouterr().out.splitlines() if text.startswith("ram_min "))
    assert "default (district_setting)" in line
    assert main(["--config", config, "rules", "parameters", "--history"]) == 0
    assert "ram_min = 16 GB  quan1: máy mới" in capsys.readouterr().out
    assert main(["--config", config, "rules", "set", "ram_min=16GB/s"]) == 2
    assert "expected a number with one of these units" in capsys.readouterr().err
