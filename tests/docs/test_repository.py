"""The repository as a whole: links lead somewhere, both READMEs tell the same, nothing private slips in."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from functools import cache
from itertools import zip_longest
from pathlib import Path

import pytest

from phongmay_rules.explain import state_name
from phongmay_store.register.compliance import State

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path for path in ROOT.rglob("*.md") if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
)


@cache
def files() -> tuple[Path, ...]:
    """Give every file that is or would be committed."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return tuple(path for name in listed.stdout.decode().split("\0") if name and (path := ROOT / name).is_file())


def text_of(path: Path) -> str:
    """Give a file's text, "" for a picture or the like."""
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        return ""


FORBIDDEN = {
    "a folder of the machine it was written on": r"(?<![\w.<])/(w" + r"ork|r" + r"oot)(?![\w>-])",
    "the machinery around the project": "farm" + r"-(studio|bench)|\.lib" + r"rary\b",
    "a package registry's host": "py" + r"pi\.org|pythonhos" + r"ted\.org|npm" + r"js\.org|--(extra-)?index" + "-url",
    "something left undone": r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_nothing_committed_names(what: str) -> None:
    """No committed file names a private path, the machinery, a registry's host, or work left undone."""
    pattern = re.compile(FORBIDDEN[what])
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in files()
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        if pattern.search(line)
    ]
    assert found == []


def anchors(text: str) -> set[str]:
    """Give the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    """Every relative link names a file that is there, and a heading that it has."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(path)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        linked = (path.parent / name).resolve() if name else path
        if not linked.exists() or (anchor and anchor not in anchors(text_of(linked))):
            broken.append(target)
    assert broken == []


def outline(name: str) -> list[tuple[str, int, int, int]]:
    """Give (level of heading, links, rows of tables, items of lists) of each section of a document."""
    sections = re.split(r"^(#+) .*$", text_of(ROOT / name), flags=re.MULTILINE)[1:]
    return [
        (
            level,
            len(re.findall(r"\]\(", body)),
            len(re.findall(r"^\|", body, re.MULTILINE)),
            len(re.findall(r"^- ", body, re.MULTILINE)),
        )
        for level, body in zip(sections[::2], sections[1::2], strict=True)
    ]


def test_both_readmes_have_the_same_sections() -> None:
    """Section by section the same headings, links, table rows and list items; the same files are linked."""
    for number, (english, vietnamese) in enumerate(zip_longest(outline("README.md"), outline("README.vi.md"))):
        assert english == vietnamese, f"section {number}"
    links = [set(re.findall(r"\]\(([^)]+)\)", text_of(ROOT / name))) for name in ("README.md", "README.vi.md")]
    assert links[0] ^ links[1] == {"README.md", "README.vi.md"}


def test_the_readme_never_lets_762_name_a_size() -> None:
    """Nobody has read 762's body: both READMEs say so, give its real title, and call our numbers district settings."""
    for name, unread, ours in (
        ("README.md", "Nobody here has read", "district settings"),
        ("README.vi.md", "Chưa ai ở đây đọc", "mức do quận đặt"),
    ):
        text = " ".join(text_of(ROOT / name).split())
        assert "kiến thức, kỹ năng ứng dụng tin học cho học sinh phổ thông" in text
        assert unread in text
        assert ours in text


# -- glossary ---------------------------------------------------------------------------------------------------------

TERMS = """
probe, measurement, quantity, envelope, receipt, device, seat, room, school, organisation unit, fact, clause, duty,
district setting, rule, rule pack, check, verdict, pass, fail, unknown, not applicable, manual, waived, error, evidence,
waiver, campaign, participant, alert, indicator
"""


def glossary() -> list[list[str]]:
    """Read the glossary's table as reports do."""
    lines = [line for line in text_of(ROOT / "docs" / "glossary.md").splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if not line.startswith("| ---")][1:]


def test_the_glossary_is_a_table_without_holes() -> None:
    """Four filled cells a row, no word twice in a language, and every term of the project is there."""
    rows = glossary()
    assert all(len(row) == 4 and all(row) for row in rows)
    for column in (0, 1):
        words = [row[column] for row in rows]
        assert len(words) == len(set(words))
    terms = {" ".join(term.split()) for term in TERMS.split(",")}
    assert terms - {row[0] for row in rows} == set()


@pytest.mark.parametrize("state", list(State))
def test_the_glossary_names_states_as_the_program_prints_them(state: State) -> None:
    """One word for one thing: the glossary's Vietnamese for a state is the one on pages and in reports."""
    words = {english: vietnamese for english, vietnamese, *_ in glossary()}
    assert words[state_name(state, "en").lower()] == state_name(state, "vi").lower()


# -- code -------------------------------------------------------------------------------------------------------------


def test_every_test_says_which_law_it_guards() -> None:
    """A test function without a docstring cannot be judged by the next reader."""
    silent = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in files()
        if path.suffix == ".py" and "tests" in path.relative_to(ROOT).parts
        for node in ast.walk(ast.parse(text_of(path)))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


def test_every_file_begins_by_saying_what_it_is() -> None:
    """Each Python file has a docstring at its top; one beyond 400 lines says there why it is "long because ..."."""
    wrong = []
    for path in files():
        if path.suffix != ".py" or "migrations" in path.parts:
            continue
        text = text_of(path)
        about = ast.get_docstring(ast.parse(text)) or ""
        if text.strip() and not about:
            wrong.append(f"{path.relative_to(ROOT)}: no docstring")
        if len(text.splitlines()) > 400 and "long because" not in " ".join(about.lower().split()):
            wrong.append(f"{path.relative_to(ROOT)}: {len(text.splitlines())} lines without a reason")
    assert wrong == []


def test_every_package_is_known_to_every_tool() -> None:
    """A package that is built but unknown to the import floors, mypy or ruff would be checked by nobody."""
    project = tomllib.loads(text_of(ROOT / "pyproject.toml"))
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {Path(package).name for package in packages} == set(project["tool"]["importlinter"]["root_packages"])
    folders = [Path(package).parts[0] for package in packages]
    assert set(folders) <= set(project["tool"]["mypy"]["files"])
    assert set(folders) <= set(project["tool"]["ruff"]["src"])
    assert all((ROOT / package / "__init__.py").is_file() for package in packages)


def test_every_file_of_facts_is_mutated() -> None:
    """A new file of fact functions is among those whose tests are tested; `suppliers` holds words only."""
    mutated = set(tomllib.loads(text_of(ROOT / "pyproject.toml"))["tool"]["mutmut"]["only_mutate"])
    there = {path.name for path in (ROOT / "rules/phongmay_rules/facts").glob("*.py")} - {"__init__.py", "suppliers.py"}
    assert {f"phongmay_rules/facts/{name}" for name in there} <= mutated
