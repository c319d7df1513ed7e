"""`phongmay register` as a person meets it: what it prints, and how it refuses."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from openpyxl import load_workbook
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from phongmay.commands import register as command
from phongmay_contract.errors import OperatorError
from phongmay_store.register.device import Device
from phongmay_store.register.importing import import_files
from phongmay_store.register.importing_columns import SHEETS
from phongmay_store.register.organisation import Unit

Run = Callable[..., int]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Call `phongmay register ...` with a settings file whose register lies in tmp_path."""
    config = tmp_path / "phongmay.toml"
    config.write_text(f'[store]\nregister_url = "sqlite:///{tmp_path / "register.db"}"\n')
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())

    def call(*words: object) -> int:
        args = parser.parse_args(["register", *map(str, words)], argparse.Namespace(config=config))
        code: int = args.run(args)
        return code

    return call


def units(folder: Path, name: str = "Trường A", level: str = "thcs") -> Path:
    """Write a file with one school."""
    path = folder / "units.csv"
    path.write_text(f"external_id,name,level\nmoet:1,{name},{level}\n", "utf-8")
    return path


def test_a_preview_a_report_and_a_second_time(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--dry-run shows and writes nothing; the import says what it did; again it does nothing."""
    run("migrate")
    capsys.readouterr()
    assert run("import", units(tmp_path), "--dry-run") == 0
    preview = capsys.readouterr().out
    assert "+ units moet:1" in preview
    assert "nothing was written" in preview
    assert run("import", units(tmp_path)) == 0
    assert "+ units moet:1" in capsys.readouterr().out, "the preview has written something"
    assert run("import", units(tmp_path)) == 0
    assert "+" not in capsys.readouterr().out
    assert run("import", units(tmp_path, name="Trường B"), "--since", "2026-01-01") == 0
    assert "~ units moet:1  (name: Trường A -> Trường B)" in capsys.readouterr().out


def test_faults_are_listed_and_counted(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every fault is a line on stderr; the error that ends the command says that nothing was imported."""
    run("migrate")
    with pytest.raises(OperatorError, match=r"nothing was imported: 1 fault\(s\)"):
        run("import", units(tmp_path, level="university"))
    assert "units.csv line 2, column level: 'university': expected one of mam_non" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("since", "told"), [("yesterday", "is not a date such as"), ("2999-01-01", "lies in the future")]
)
def test_a_wrong_since_is_one_sentence(run: Run, tmp_path: Path, since: str, told: str) -> None:
    """--since is held against the calendar before anything is opened."""
    with pytest.raises(OperatorError, match=told):
        run("import", units(tmp_path), "--since", since)


def test_an_unmigrated_register_is_one_sentence(run: Run, tmp_path: Path) -> None:
    """Importing before `migrate` says which command is missing."""
    with pytest.raises(OperatorError, match="phongmay register migrate"):
        run("import", units(tmp_path))


def test_the_filled_in_workbook_is_imported(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The XLSX template, its examples filled in, ends as unit, room, seat, line, device and declared values."""
    run("migrate")
    assert run("template", tmp_path, "--xlsx") == 0
    path = tmp_path / "phongmay.xlsx"
    book = load_workbook(path)
    book["units"].append(["district:tb", "quận", "Quận Mẫu"])
    for kind in SHEETS:
        book[kind.name].append([int(c.example) if c.example.isdigit() else c.example for c in kind.columns])
    book.save(path)
    capsys.readouterr()
    assert run("import", path) == 0
    printed = capsys.readouterr().out
    counts = {line.split()[0]: line.split()[1:] for line in printed.splitlines() if line.split()[0].isalpha()}
    assert [counts[kind.name][0] for kind in SHEETS] == ["2", "1", "1", "1", "1", "1", "11"], printed


def test_two_imports_at_once_make_each_thing_once(register_engine: Engine, tmp_path: Path) -> None:
    """The second waits for the first and then finds everything unchanged."""
    paths = [units(tmp_path), tmp_path / "devices.csv"]
    paths[1].write_text("school,code\n" + "".join(f"moet:1,PC-{n}\n" for n in range(200)), "utf-8")
    gate = threading.Barrier(2)
    created: list[int] = []

    def one() -> None:
        with Session(register_engine) as session, session.begin():
            gate.wait()
            created.append(sum(import_files(session, paths).created.values()))

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(created) == [0, 201]
    with Session(register_engine) as session:
        assert session.scalar(select(func.count()).select_from(Device)) == 200
        assert session.scalar(select(func.count()).select_from(Unit)) == 1
