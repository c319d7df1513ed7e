"""`phongmay rules`: what it prints, and how it ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from phongmay.main import main
from phongmay_rules.chain.heads import make_key, read_lines
from phongmay_rules.loader import PACKS, load_packs
from phongmay_rules.settings import RulesSettings

pytestmark = pytest.mark.one_register
PACK = load_packs(RulesSettings().packs)


def test_pack_verbs_need_no_settings(capsys: pytest.CaptureFixture[str]) -> None:
    """check, test, list and show work on a fresh checkout."""
    assert main(["rules", "check"]) == 0
    assert f"{len(PACK.rules)} rules, {len(PACK.clauses)} clauses" in capsys.readouterr().out
    assert main(["rules", "test"]) == 0
    assert "cases are as expected" in capsys.readouterr().out
    assert main(["rules", "list"]) == 0
    assert "district_setting" in capsys.readouterr().out
    assert main(["rules", "show", "TB-01"]) == 0
    assert "ram_min = 4294967296 B" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["check", "nowhere"], ["show", "TB-99"]])
def test_what_does_not_exist_is_told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence, exit code 2."""
    assert main(["rules", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert arguments[1] in error


def test_rules_test_lists_every_case_that_comes_out_differently(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever moves a limit sees at once which cases to move; a pack that lacks a sort of case is refused."""
    folder = tmp_path / "pack"
    shutil.copytree(PACKS / "tanbinh-2023", folder)
    standard = folder / "standard.toml"
    right = standard.read_text("utf-8")
    standard.write_text(right.replace("value = 4_294_967_296", "value = 8_589_934_592", 1), "utf-8")
    assert main(["rules", "test", str(folder)]) == 1
    said = capsys.readouterr().out
    assert "TB-01 case 'exactly 4 GB': expected pass, got fail (below)" in said
    assert main(["rules", "check", str(folder)]) == 2
    assert "case 'exactly 4 GB'" in capsys.readouterr().err
    standard.write_text(right, "utf-8")
    cases = folder / "cases" / "TB-01.toml"
    cases.write_text(cases.read_text("utf-8").replace("age_s = 2_678_400", "age_s = 1"), "utf-8")
    assert main(["rules", "test", str(folder)]) == 1
    text = cases.read_text("utf-8").split("[[case]]")
    cases.write_text("[[case]]".join(part for part in text if "age_s = 1 " not in part), "utf-8")
    capsys.readouterr()
    assert main(["rules", "test", str(folder)]) == 2
    assert "rule TB-01 has no case of kind stale (check.0)" in capsys.readouterr().err


def _settings(house: Any, folder: Path) -> Path:
    path = folder / "phongmay.toml"
    url = house.engine.url.render_as_string(hide_password=False)
    path.write_text(
        f'[store]\nregister_url = "{url}"\nseries_path = "{folder / "series.db"}"\n'
        f'[rules]\ninterval_s = 1\nmetrics_port = 0\n'
        f'key_file = "{folder / "key"}"\nheads_file = "{folder / "heads"}"\n',
        "utf-8",
    )
    return path


def test_run_once_and_explain(house: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One evaluation prints a table; a verdict can then be explained with the envelope that it rests on."""
    config = str(_settings(house, tmp_path))
    assert main(["--config", config, "rules", "run", "--once"]) == 0
    table = capsys.readouterr().out
    assert "Computer rooms" in table
    assert "unknown" in table
    assert main(["--config", config, "rules", "explain", "cs-0", "TB-01"]) == 0
    assert f"cs-0/{'ab' * 8}/0" in capsys.readouterr().out
    assert main(["--config", config, "rules", "explain", "nobody", "TB-01"]) == 2


def test_loop_survives_an_absent_store_and_ends_on_sigterm(house: Any, tmp_path: Path) -> None:
    """A store that is away is told once, evaluation goes on when it is back and signs, SIGTERM ends it with code 0."""
    config = _settings(house, tmp_path)
    make_key(tmp_path / "key")
    series, hidden = tmp_path / "series.db", tmp_path / "hidden"
    house.series.close()
    series.rename(hidden)
    process = subprocess.Popen(
        [sys.executable, "-m", "phongmay", "--config", str(config), "rules", "run"],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stderr is not None
    try:
        lines = iter(process.stderr)
        assert "event=started" in next(lines)
        assert "event=store_away" in next(lines)
        hidden.rename(series)
        assert "event=store_back" in next(lines)
        assert "event=evaluated" in next(lines)
        assert "event=heads_signed units=5" in next(lines)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    assert len(list(read_lines(tmp_path / "heads"))) == 5
