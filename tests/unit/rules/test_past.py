"""`phongmay verdicts show`: the past as it stood, with what it rested on; never today's answer in its place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from phongmay.evidence import evidence_lines
from phongmay.main import READER_GONE, main
from phongmay_rules.history import InstantError, as_of, counts_as_of, require_past
from phongmay_simulate.district import Role
from phongmay_store.register.base import utc_now
from phongmay_store.register.compliance import Parameter
from phongmay_store.register.organisation import ExternalId

from .conftest import NOW

LATER = NOW + timedelta(minutes=30)
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def told(house: Any) -> Any:
    """A house that was judged twice: cs-0 was fine at 10:00 and weak at 10:30, and the district changed a figure."""
    with house.sessions() as session:
        session.add(ExternalId(unit_id="cs", issuer="moet", value="79001"))
        session.commit()
    house.evaluate(NOW)
    house.speak("cs-0", Role.LOW_MEMORY, at=LATER, minutes=1)
    house.evaluate(LATER)
    return house


@pytest.fixture
def config(told: Any, tmp_path: Path) -> Path:
    """Settings that point to the house."""
    path = tmp_path / "phongmay.toml"
    url = told.engine.url.render_as_string(hide_password=False)
    path.write_text(f'[store]\nregister_url = "{url}"\nseries_path = "{tmp_path / "series.db"}"\n', "utf-8")
    return path


@pytest.fixture
def run(config: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command on the house; gives exit code and all that was printed."""

    def call(*arguments: str) -> tuple[int, str]:
        code = main(["--config", str(config), *arguments])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return call


def test_a_verdict_of_the_past_with_all_it_rested_on(run: Run, told: Any) -> None:
    """Unit by its ministry's id, PC by its code: state, facts, envelope, rule and pack hash of that instant."""
    where = ("verdicts", "show", "--unit", "moet:79001", "--rule", "TB-01", "--subject", "cs-0")
    code, before = run(*where, "--at", "2026-11-23T10:02", "--lang", "en")
    assert code == 0
    assert "As it stood at 10:02:00 23/11/2026" in before
    assert before.count("Pass: ") == 1
    assert f"cs-0/{'ab' * 8}/0" in before
    row = told.verdict("cs-0", "TB-01")
    assert f"TB-01 [{row.rule_hash[:12]}] of pack tanbinh-2023 [{row.pack_hash[:12]}]" in before
    assert f"[{told.pack.hash[:12]}]" in before
    code, after = run(*where, "--at", "2026-11-23T10:30", "--lang", "en")
    assert (code, "Fail: " in after, "verdicts dispute" in after) == (0, True, False)
    assert f"verdict {row.id}, judged" in after


def test_where_no_run_vouches_everything_is_unknown(run: Run) -> None:
    """Ten minutes after a run of three minutes, and before the first run, nothing is passed on: exit code 1."""
    code, text = run("verdicts", "show", "--unit", "cs", "--at", "2026-11-23T10:10")
    assert (code, "Đạt:" in text, "Không đạt:" in text) == (1, False, False)
    assert "Chưa rõ: hệ thống đánh giá đã ngừng" in text
    code, text = run("verdicts", "show", "--unit", "cs", "--at", "2026-11-22", "--lang", "en")
    assert (code, "Nobody had judged it by then." in text, "0 verdicts" in text) == (1, True, True)
    code, text = run("verdicts", "show", "--unit", "cs", "--at", "2026-11-23T10:30", "--known-at", "2026-11-23T10:20")
    assert (code, "Không đạt:" in text) == (1, False), "at 10:20 nobody knew the run of 10:30"


def test_what_cannot_be_shown_is_told(run: Run) -> None:
    """An instant ahead, a unit that never was, a subject without verdict: one sentence, code 2, no answer of today."""
    for words, part in (
        (("--unit", "cs", "--at", "2099-01-01"), "is ahead"),
        (("--unit", "cs", "--at", "2026-11-23T10:00", "--known-at", "2099-01-01"), "known_at"),
        (("--unit", "moet:1", "--at", "2026-11-23"), "no organisation unit 'moet:1'"),
        (("--unit", "cs", "--at", "2026-11-23T10:00", "--subject", "th-0"), "no verdict on 'th-0'"),
    ):
        code, text = run("verdicts", "show", *words)
        assert (code, part in text) == (2, True), text
    with pytest.raises(InstantError, match="ahead"):
        require_past(utc_now() + timedelta(seconds=5))


def test_replay_and_recompute_take_ids_of_other_systems(run: Run) -> None:
    """A unit is named by issuer:value there too."""
    assert "0 differ" in run("verdicts", "replay", "--unit", "moet:79001", "--at", "2026-11-23T10:00")[1]
    assert "facts differ" in run("verdicts", "recompute", "--unit", "moet:79001", "--at", "2026-11-23T10:30")[1]


def test_the_past_keeps_the_figure_of_its_day(run: Run, told: Any) -> None:
    """A figure that is set afterwards changes today's verdict and not the one of then."""
    with told.sessions() as session:
        owner = told.pack.parameter_owners["ram_min"]
        session.add(Parameter(unit_id="quan", pack_id=owner, name="ram_min", value=2.0**34, set_by="q", reason="r"))
        session.commit()
    told.evaluate(LATER + timedelta(minutes=1))
    assert told.state("cs-1", "TB-01") == ("fail", "below")
    where = ("verdicts", "show", "--unit", "cs", "--rule", "TB-01", "--subject", "cs-1", "--lang", "en")
    assert "at least 4 GB" in run(*where, "--at", "2026-11-23T10:30")[1]
    assert "at least 16 GB" in run(*where, "--at", "2026-11-23T10:31")[1]


def test_show_prints_the_value_in_force_and_who_must_act(run: Run, told: Any) -> None:
    """`rules show` says what to do and who; where a unit set another figure, which, by whom and why."""
    with told.sessions() as session:
        owner = told.pack.parameter_owners["ram_min"]
        session.add(Parameter(unit_id="cs", pack_id=owner, name="ram_min", value=2.0**33, set_by="q", reason="máy mới"))
        session.commit()
    text = run("rules", "show", "TB-01", "--unit", "moet:79001")[1]
    assert "in force: 8 GB, set for cs by q" in text
    assert "máy mới" in text
    assert "who must act nhà trường, đơn vị quản lý / the school, the district" in text
    assert told.pack.rules["TB-01"].remediation.vi.strip() in text
    assert "in force:" not in run("rules", "show", "TB-01")[1], "at the top the default holds"
    assert run("rules", "show", "TB-01", "--unit", "nowhere")[0] == 2


def test_counts_of_many_units_are_those_of_each(told: Any) -> None:
    """Counting a district's schools at once says the same as looking at each of them; unknown units are not there."""
    with told.sessions() as session:
        for at in (NOW + timedelta(minutes=1), NOW + timedelta(minutes=10), LATER):
            counted = counts_as_of(session, ["cs", "th", "mn", "nowhere"], at)
            for unit in ("cs", "th", "mn"):
                states = [one.state for one in as_of(session, unit, at).verdicts]
                assert counted.get(unit, {}) == {state: states.count(state) for state in set(states)}
            assert "nowhere" not in counted


def test_evidence_is_said_in_both_languages(run: Run) -> None:
    """Vietnamese output has no English in its evidence; the verdict's number is the one that a dispute takes."""
    text = run("rules", "explain", "cs-0", "TB-01")[1]
    number = next(line.split()[3] for line in text.splitlines() if line.startswith("  kết luận số")).rstrip(",")
    assert "Dung lượng" in text
    assert "số liệu" in text
    assert not [word for word in ("fact ", "from ", "judged", "missing", "None") if word in text]
    assert f"phongmay verdicts dispute {number} " in text
    fact = {"name": "contracted_down_bps", "value": 1e8, "unit": "bit/s", "source": "declared", "fact_id": 7, "at": 0,
            "sources": ["register:line/1"], "detail": {"declared_by": "Văn phòng",
            "declared_since": "2026-08-31T17:00:00+00:00", "attachment_sha256": "ab" * 32,
            "declared": 1e8, "disagrees": True}}  # fmt: skip
    waiver = {"waiver": 3, "state": "fail", "reason": "below", "until": "2027-01-01T00:00:00+00:00", "why": "chờ",
              "signed_by": "quan"}  # fmt: skip
    member = {"subject_kind": "device", "subject_id": "pc-1", "state": "unknown", "rules": ["TB-01"]}
    vi, en = (list(evidence_lines([fact, waiver, member], language)) for language in ("vi", "en"))
    assert len(vi) == len(en) == 4
    assert vi[1].strip().startswith("100 Mbit/s, “Văn phòng” khai báo từ 01/09/2026, ")
    assert "KHÁC với số liệu đo" in vi[1]
    assert en[1].strip().startswith("100 Mbit/s, declared by 'Văn phòng' since 01/09/2026, ")
    assert "DISAGREES with the measurement" in en[1]
    assert vi[2].startswith("  quyết định miễn số 3 do quan ký")
    assert vi[3] == "  máy pc-1: chưa rõ TB-01"
    assert en[3] == "  device pc-1: unknown TB-01"


def test_what_a_stopped_engine_found_is_not_explained_as_if_it_stood(run: Run, told: Any) -> None:
    """Nobody vouches for verdicts of last week any more: unknown, whatever the row says, until they are confirmed."""
    for language, unknown, states in (
        ("vi", "Chưa rõ: hệ thống đánh giá đã ngừng", ("Đạt:", "Không đạt:", "giữ nguyên")),
        ("en", "Unknown: the evaluation has stopped", ("Pass:", "Fail:", "without a break")),
    ):
        for device in ("cs-0", "cs-1"):
            text = run("rules", "explain", device, "TB-01", "--lang", language)[1]
            assert unknown in text
            assert not [state for state in states if state in text]
    told.evaluate(utc_now())
    assert "Pass: " in run("rules", "explain", "cs-1", "TB-01", "--lang", "en")[1]
    assert "Fail: " in run("rules", "explain", "cs-0", "TB-01", "--lang", "en")[1]


def test_the_number_that_explain_prints_can_be_disputed(run: Run, told: Any) -> None:
    """The id of `rules explain` is taken by `verdicts dispute`: the refusal is about the signer only."""
    text = run("rules", "explain", "cs-0", "TB-01", "--lang", "en")[1]
    number = next(line for line in text.splitlines() if "to dispute it" in line).split()[6]
    assert number == str(told.verdict("cs-0", "TB-01").id)
    code, said = run("verdicts", "dispute", number, "--text", "x", "--by", "nobody")
    assert (code, "no active account 'nobody'" in said) == (2, True)


def test_a_reader_that_stops_reading_ends_the_command_quietly(config: Path) -> None:
    """`phongmay ... | head` prints no traceback, whether the output is long or still in the buffer."""
    for arguments in (["rules", "list"], ["verdicts", "show", "--unit", "cs", "--at", "2026-11-23T10:00"]):
        read, write = os.pipe()
        os.close(read)
        with os.fdopen(write, "w") as broken:
            done = subprocess.run(
                [sys.executable, "-m", "phongmay", "--config", str(config), *arguments],
                stdout=broken,
                stderr=subprocess.PIPE,
                text=True,
                timeout=60,
                check=False,
            )
        assert (done.returncode, done.stderr) == (READER_GONE, ""), json.dumps(arguments)
