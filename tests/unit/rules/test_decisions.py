"""Waivers, attestations, disputes: who may sign what, what they change, and that every one is a link of a chain."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from phongmay.main import main
from phongmay_rules import deciding
from phongmay_rules.chain.verifying import Tampering, units_with_chain, verify
from phongmay_rules.deciding import DecisionError
from phongmay_rules.model import Assessment
from phongmay_rules.replaying import replay
from phongmay_rules.summary import summarise
from phongmay_simulate.district import Role as Machine
from phongmay_store.register.access import Account, Grant
from phongmay_store.register.base import utc_now
from phongmay_store.register.decisions import Attestation, Dispute, Waiver
from phongmay_store.register.device import Device
from phongmay_store.register.organisation import ExternalId, Unit

NOW = datetime.fromisoformat("2026-11-23T10:00:00+07:00")
LATER = utc_now() + timedelta(days=300)


@pytest.fixture
def signers(house: Any) -> Any:
    """The house with a weak PC, and accounts: district officer, the school's own admin, a viewer of the school."""
    house.device("odd", "cs", "cs-room")
    house.speak("odd", Machine.LOW_MEMORY)
    grants = (
        ("quan", "quan", "officer"),
        ("cs", "cs", "admin"),
        ("xem", "cs", "viewer"),
        ("quan-xem", "quan", "viewer"),
    )
    with house.sessions() as session:
        for login, unit, role in grants:
            session.add(Account(id=login, login=login, password_hash="-"))
            session.add(Grant(account_id=login, unit_id=unit, role=role))
        session.commit()
    return house


def waive(house: Any, subject: str, rule: str = "TB-01", **more: Any) -> int:
    """Record a waiver that holds since long."""
    given = {"reason": "chờ thay máy", "signed_by": "quan", "valid_from": NOW - timedelta(days=9), "valid_to": LATER}
    with house.sessions() as session:
        row = deciding.waive(session, house.pack, subject, rule, **(given | more))
        session.commit()
        return row.number


def assert_sound(house: Any) -> None:
    """Every chain holds, and the newest runs replay identically."""
    with house.sessions() as session:
        for unit in units_with_chain(session):
            assert verify(session, unit).breaks == ()
            assert replay(session, unit, utc_now()).differences == ()


@pytest.mark.parametrize("subject", ["odd", "cs-room", "cs", "quan"])
def test_a_waiver_reaches_everything_below(signers: Any, subject: str) -> None:
    """Lifted for a PC, its room, its school or the district: the failing verdict is waived, and keeps what it was."""
    signers.evaluate(NOW)
    assert signers.state("odd", "TB-01") == ("fail", "below")
    number = waive(signers, subject)
    signers.evaluate(NOW + timedelta(minutes=1))
    assert signers.state("odd", "TB-01") == ("waived", "waived")
    verdict = signers.verdict("odd", "TB-01")
    assert (verdict.evidence[-1]["waiver"], verdict.evidence[-1]["state"]) == (number, "fail")
    assert verdict.evidence[-1]["reason"] == "below"
    assert verdict.measured["value"] < verdict.required["value"]
    assert_sound(signers)


def test_a_waiver_never_counts_as_met(signers: Any) -> None:
    """The room with the excused PC still does not meet its aggregate, and the summary counts it as waived, not pass."""
    signers.evaluate(NOW)
    assert signers.state("cs-room", "PH-02")[0] == "fail"
    with signers.sessions() as session:
        before = summarise(session, ["cs"], pack=signers.pack, at=NOW)["cs"].rules["TB-01"].counts
    waive(signers, "odd")
    at = NOW + timedelta(minutes=1)
    signers.evaluate(at)
    assert signers.state("cs-room", "PH-02")[0] == "fail"
    with signers.sessions() as session:
        after = summarise(session, ["cs"], pack=signers.pack, at=at)["cs"].rules["TB-01"].counts
    assert after == before | {"fail": before["fail"] - 1, "waived": 1}


def test_a_stopped_engine_vouches_for_no_waiver(signers: Any) -> None:
    """Whether the waiver still holds, and the fail that it excuses, nobody knows any more: unknown like the rest."""
    waive(signers, "odd", valid_to=NOW + timedelta(minutes=30))
    signers.evaluate(NOW)
    with signers.sessions() as session:
        held, gone = (
            summarise(session, ["cs"], pack=signers.pack, at=NOW + timedelta(minutes=after))["cs"].rules["TB-01"].counts
            for after in (1, 60)
        )
    assert held["waived"] == 1
    assert (gone["waived"], gone["unknown"]) == (0, sum(held.values()))


def test_a_waiver_changes_nothing_but_a_fail(signers: Any) -> None:
    """Pass stays pass, unknown stays unknown, another rule and another school are not touched."""
    signers.device("silent", "cs", "cs-room")
    signers.evaluate(NOW)
    waive(signers, "cs")
    waive(signers, "th", "TB-09")
    signers.evaluate(NOW + timedelta(minutes=1))
    assert signers.state("cs-1", "TB-01") == ("pass", "met")
    assert signers.state("silent", "TB-01")[0] == "unknown"
    assert signers.state("silent", "TB-09")[0] == "fail"


def test_a_waiver_holds_from_beginning_to_end(signers: Any) -> None:
    """Before its beginning, at its end (exclusive) and after its withdrawal the verdict fails again."""
    waive(signers, "odd", valid_from=NOW, valid_to=NOW + timedelta(minutes=5))
    for minute, state in ((-1, "fail"), (0, "waived"), (4, "waived"), (5, "fail")):
        signers.evaluate(NOW + timedelta(minutes=minute))
        assert signers.state("odd", "TB-01")[0] == state, minute
    number = waive(signers, "cs")
    signers.evaluate(NOW + timedelta(minutes=6))
    assert signers.state("odd", "TB-01")[0] == "waived"
    with signers.sessions() as session:
        deciding.withdraw(session, number, reason="đã thay máy", signed_by="quan")
        session.commit()
        with pytest.raises(DecisionError, match="has ended"):
            deciding.withdraw(session, number, reason="again", signed_by="quan")
    signers.evaluate(NOW + timedelta(minutes=7))
    assert signers.state("odd", "TB-01")[0] == "waived"  # a withdrawal of today leaves yesterday as it was
    signers.evaluate(utc_now())
    assert signers.state("odd", "TB-01")[0] == "fail"
    with signers.sessions() as session:
        for minute in (0, 4, 6, 7):
            assert replay(session, "cs", NOW + timedelta(minutes=minute)).differences == ()
    assert_sound(signers)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"rule": "TB-99"}, "no rule"),
        ({"subject": "nobody"}, "no device, room or unit"),
        ({"reason": " "}, "reason is empty"),
        ({"valid_to": NOW - timedelta(days=10)}, "not after the beginning"),
        ({"signed_by": "nobody"}, "no active account"),
        ({"signed_by": "cs"}, "may not sign"),
        ({"signed_by": "xem"}, "may not sign"),
        ({"signed_by": "quan-xem"}, "may not sign"),
    ],
)
def test_what_may_not_be_waived_is_told(signers: Any, change: dict[str, Any], told: str) -> None:
    """Unknown rule or subject, no reason, no time, everybody but an officer above the school: told, no row."""
    with pytest.raises(DecisionError, match=told):
        waive(signers, **({"subject": "cs"} | change))
    with signers.sessions() as session:
        assert session.scalars(select(Waiver)).all() == []


def test_an_attestation_is_for_clauses_that_people_judge(signers: Any) -> None:
    """A manual clause takes a statement until it expires; an automated one refuses it; nobody signs for their own."""
    standard = signers.pack.standard
    measured = standard.clause[0].model_copy(update={"assessment": Assessment.AUTOMATED, "id": "measured"})
    standard = standard.model_copy(update={"clause": (*standard.clause, measured)})
    signers.pack = dataclasses.replace(signers.pack, standard=standard)
    clauses = {clause.assessment.value: clause.id for clause in standard.clause}
    given = {"met": True, "statement": "đã kiểm tra", "signed_by": "quan", "valid_to": LATER}
    with signers.sessions() as session:
        row = deciding.attest(session, signers.pack, "cs", clauses["manual"], attachment=("a.pdf", "0" * 64), **given)
        session.commit()
        now = utc_now()
        assert deciding.attested(session, "cs", now)[clauses["manual"]].number == row.number
        assert deciding.attested(session, "cs", LATER) == {}
        assert deciding.attested(session, "cs", now, row.recorded_at - timedelta(seconds=1)) == {}
        with pytest.raises(DecisionError, match="judged by measurement"):
            deciding.attest(session, signers.pack, "cs", clauses["automated"], **given)
        with pytest.raises(DecisionError, match="may not sign"):
            deciding.attest(session, signers.pack, "cs", clauses["manual"], **(given | {"signed_by": "cs"}))
        session.execute(update(Attestation).values(met=False))
        session.flush()
        assert verify(session, "cs").breaks[0].tampering is Tampering.CHANGED


def test_dispute_recheck_answer(signers: Any) -> None:
    """The school disputes, the engine rechecks, the district answers once; each step is a link."""
    signers.evaluate(NOW)
    verdict = signers.verdict("odd", "TB-01").id
    with signers.sessions() as session:
        opened = deciding.open_dispute(session, verdict, text="đã nâng RAM", signed_by="xem")
        session.commit()
        number = opened.number
        with pytest.raises(DecisionError, match="in dispute already"):
            deciding.open_dispute(session, verdict, text="again", signed_by="xem")
    signers.speak("odd", at=NOW + timedelta(minutes=1), minutes=0)
    signers.evaluate(NOW + timedelta(minutes=1), "cs")
    with signers.sessions() as session:
        step = deciding.recheck(session, number)
        assert step.text == "fail (below) -> pass (met)"
        assert step.verdict_id != verdict
        with pytest.raises(DecisionError, match="may not sign"):
            deciding.answer(session, number, upheld=True, text="ok", signed_by="cs")
        deciding.answer(session, number, upheld=True, text="đồng ý", signed_by="quan")
        session.commit()
        with pytest.raises(DecisionError, match="is answered"):
            deciding.answer(session, number, upheld=False, text="no", signed_by="quan")
        with pytest.raises(DecisionError, match="not a current one"):
            deciding.open_dispute(session, verdict, text="old", signed_by="xem")
        steps = [row.step for row in session.scalars(select(Dispute).order_by(Dispute.number))]
        assert steps == ["opened", "rechecked", "upheld"]
    assert_sound(signers)


# -- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def command(signers: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """`phongmay verdicts` on the house; gives exit code and output."""
    config = tmp_path / "phongmay.toml"
    url = signers.engine.url.render_as_string(hide_password=False)
    config.write_text(
        f'[store]\nregister_url = "{url}"\nseries_path = "{tmp_path / "series.db"}"\n'
        f'[rules]\nkey_file = "{tmp_path / "key"}"\nheads_file = "{tmp_path / "heads"}"\n',
        "utf-8",
    )

    def run(*arguments: str) -> tuple[int, str]:
        code = main(["--config", str(config), "verdicts", *arguments])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


def test_the_chain_from_the_command_line(signers: Any, command: Any, tmp_path: Path) -> None:
    """Key, heads, verify: 0 while sound, 1 with a sentence when cut or forged, 2 without a key."""
    signers.evaluate(NOW)
    code, text = command("heads")
    assert (code, "phongmay verdicts key" in text) == (2, True)
    code, text = command("verify")
    assert (code, "no signed heads" in text) == (0, True)
    assert command("key")[0] == 0
    assert command("heads")[0] == 0
    code, text = command("verify")
    assert (code, text.count("sound, "), text.count("1 signed heads agree")) == (0, 5, 5)
    lines = (tmp_path / "heads").read_text("utf-8")
    (tmp_path / "heads").write_text(lines.replace('"sequence": ', '"sequence": 9', 1), "utf-8")
    code, text = command("verify")
    assert (code, "does not hold" in text) == (1, True)
    (tmp_path / "heads").write_text(lines, "utf-8")
    with signers.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM chain_link WHERE unit_id = 'cs'")
        connection.exec_driver_sql("DELETE FROM verdict WHERE unit_id = 'cs'")
        connection.exec_driver_sql("DELETE FROM current_verdict WHERE unit_id = 'cs'")
        connection.exec_driver_sql("DELETE FROM evaluation_run WHERE unit_id = 'cs'")
    code, text = command("verify", "--unit", "cs", "--heads", str(tmp_path / "heads"))
    assert (code, text.count("\n"), "unit cs: link 1: tail cut" in text) == (1, 1, True)
    code, text = command("verify", "--heads", str(tmp_path / "nowhere"))
    assert (code, "nowhere" in text) == (2, True)


def test_the_past_from_the_command_line(signers: Any, command: Any) -> None:
    """replay and recompute end with 0 where nothing differs and with 1 and a sentence where something does."""
    signers.evaluate(NOW)
    code, text = command("replay", "--unit", "quan", "--at", "2026-11-23T10:00")
    assert (code, "0 differ" in text) == (0, True)
    assert command("recompute", "--unit", "quan", "--at", "2026-11-23T10:00")[0] == 0
    assert command("replay", "--unit", "cs", "--at", "2020-01-01")[0] == 2
    with signers.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE fact SET number = 1 WHERE subject_id = 'cs-0' AND name = 'cpu_threads'")
    code, text = command("replay", "--unit", "cs", "--at", "2026-11-23T10:00")
    assert (code, "device cs-0 TB-02: stored pass (met), replayed fail (below)" in text) == (1, True)
    code, text = command("recompute", "--unit", "cs", "--at", "2026-11-23T10:00")
    assert (code, "cpu_threads: stored 1, now 4" in text) == (1, True)


def test_decisions_from_the_command_line(
    signers: Any, command: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every decision can be made and listed; a wrong one is a sentence and code 2."""
    signers.evaluate(NOW)
    by = ("--by", "quan")
    assert command("waive", "odd", "TB-01", "--reason", "chờ máy mới", "--until", "2099-01-01", *by)[0] == 0
    signers.evaluate(utc_now())
    assert main(["--config", str(tmp_path / "phongmay.toml"), "rules", "explain", "odd", "TB-01"]) == 0
    said = capsys.readouterr().out
    assert "quyết định miễn số 1 do quan ký, đến 00:00:00 01/01/2099 (chờ máy mới): miễn cho kết quả không đạt" in said
    assert command("withdraw", "1", "--reason", "r", *by)[0] == 0
    assert command("waive", "odd", "TB-99", "--reason", "r", "--until", "2099-01-01", *by)[0] == 2
    manual = next(clause.id for clause in signers.pack.standard.clause if clause.assessment.value == "manual")
    (tmp_path / "bien-ban.pdf").write_bytes(b"%PDF")
    code, text = command(
        "attest", "cs", manual, "--met", "yes", "--statement", "s", "--until", "2099-01-01", "--attachment",
        str(tmp_path / "bien-ban.pdf"), *by,
    )  # fmt: skip
    assert (code, hashlib.sha256(b"%PDF").hexdigest() in text) == (0, True)
    verdict = str(signers.verdict("odd", "TB-01").id)
    code, text = command("dispute", verdict, "--text", "t", "--by", "xem")
    assert (code, "rechecked: waived (waived) -> fail" in text) == (0, True)
    assert command("answer", "1", "rejected", "--text", "t", *by)[0] == 0
    code, text = command("decisions")
    assert (code, [line.split()[0] for line in text.splitlines()]) == (
        0, ["waiver", "waiver", "attestation", "dispute", "dispute", "dispute"],
    )  # fmt: skip
    assert command("verify")[0] == 0


def test_the_command_line_knows_units_and_devices_by_their_names(
    signers: Any, command: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """A code, or the id of another system, serves wherever an id does; who is not there is told, never passed over."""
    with signers.sessions() as session:
        session.add(ExternalId(unit_id="cs", issuer="moet", value="79001"))
        code = session.scalars(select(Device.code).where(Device.id == "odd")).one()
        session.commit()
    assert command("decisions") == (0, "no waiver, statement or dispute is recorded\n")
    until = ("--until", "2099-01-01", "--by", "quan")
    assert command("waive", code, "TB-01", "--reason", "r", *until)[0] == 0
    manual = next(clause.id for clause in signers.pack.standard.clause if clause.assessment.value == "manual")
    assert command("attest", "moet:79001", manual, "--met", "yes", "--statement", "s", *until)[0] == 0
    said = command("decisions", "--unit", "moet:79001")[1].splitlines()
    assert [line.split()[0] for line in said] == ["waiver", "attestation"]
    assert command("decisions", "--unit", "moet:79009")[0] == 2
    assert command("withdraw", "77", "--reason", "r", "--by", "quan")[0] == 2


def test_verify_vouches_only_for_what_it_verified(signers: Any, command: Any) -> None:
    """A misspelt unit, or one without a chain, is not "sound": nothing was looked at."""
    signers.evaluate(NOW)
    with signers.sessions() as session:
        session.add(ExternalId(unit_id="cs", issuer="moet", value="79001"))
        session.add(Unit(id="mới", kind="school", name="Trường mới", level="thcs", parent_id="quan", valid_from=NOW))
        session.commit()
    code, said = command("verify", "--unit", "moet:79001")
    assert code == 0
    assert re.search(r"^\S.+, unit cs: sound, [1-9]\d* links", said)
    assert command("verify", "--unit", "moet:79009")[0] == 2
    code, said = command("verify", "--unit", "mới")
    assert code == 1
    assert said.startswith("Trường mới, unit mới: has no chain; nothing was verified")


def test_a_rule_is_not_lifted_below_what_it_judges(signers: Any) -> None:
    """A rule about schools on a single PC would be a signed decision that excuses nothing; told before it is signed."""
    for subject, rule in (("odd", "PH-01"), ("odd", "TR-01"), ("cs-room", "TR-01"), ("cs", "QU-01")):
        with pytest.raises(DecisionError, match="lift it for") as refused:
            waive(signers, subject, rule)
        assert refused.value.code == "too_narrow"
    for subject, rule in (("cs-room", "PH-01"), ("cs", "TR-01"), ("quan", "QU-01"), ("quan", "TB-01")):
        assert waive(signers, subject, rule)
