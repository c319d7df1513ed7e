"""The command's entry: the right verb is found, and only what it needs is imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

from phongmay import main


@pytest.mark.parametrize(
    ("argv", "verb"),
    [
        (["demo", "--once"], "demo"),
        (["--config", "rules", "api", "run"], "api"),
        (["--config=x.toml", "api", "run"], "api"),
        (["--help"], ""),
        ([], ""),
        (["--config"], ""),
    ],
)
def test_the_verb_is_found_before_anything_is_parsed(argv: list[str], verb: str) -> None:
    """A settings file may be named like a verb; help shows all verbs."""
    assert main.named_verb(argv) == verb


def test_an_unknown_verb_lists_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt verb must not look as if the others did not exist."""
    with pytest.raises(SystemExit) as ended:
        main.main(["demoo"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert all(name in said for name in main.verb_names())


def test_a_verb_imports_only_what_it_needs() -> None:
    """Six processes start in a demo; the simulator must not pay for FastAPI and SQLAlchemy."""
    code = "import sys; from phongmay.main import build_parser; build_parser('simulate'); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "phongmay_simulate.fleet" in modules
    assert not {"fastapi", "sqlalchemy", "phongmay_rules.engine"} & set(modules)
