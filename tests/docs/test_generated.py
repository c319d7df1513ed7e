"""What documents say about the code is taken from the code."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """docs/generate.py as a module."""
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_parts_are_those_of_the_code() -> None:
    """Topics, quantities, tables, settings, commands and the README's count are what the code says now."""
    command = [sys.executable, "docs/generate.py", "--check"]
    result = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_generated_part_stands_in_a_document(generate: ModuleType) -> None:
    """A part that no document holds documents nothing, and a marker must be one that the generator knows."""
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    used = [
        name
        for path in documents
        for name in re.findall(r"^<!-- generated: ([a-z-]+) -->$", path.read_text("utf-8"), re.MULTILINE)
    ]
    assert sorted(used) == sorted(generate.PARTS)


def test_a_stale_part_is_seen(generate: ModuleType) -> None:
    """The comparison can fail: an edited table is put right again."""
    stale = "a\n<!-- generated: topics -->\n\nold\n<!-- end -->\nb\n"
    renewed = generate.renew(stale)
    assert "old" not in renewed
    assert "phongmay/v1/" in renewed
    assert generate.renew(renewed) == renewed
