"""Reads a rule pack: the name of a shipped pack or a directory goes in, a checked `Pack` comes out.

A misspelt key, an unknown unit, fact, parameter, rule or clause, a missing case or a bad date raises PackError, which
names file, key and what was expected. Layout of a pack: standard.toml, rules/<id>.toml, cases/<id>.toml.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from phongmay_rules import model
from phongmay_rules.consistency import check_cases, check_rules, check_standard, in_reading_order, inherited_origins
from phongmay_rules.errors import PackError
from phongmay_rules.model import Case, CaseFile, Pack, Rule, Standard

PACKS = Path(__file__).with_name("packs")
_ARCHIVE = "archived pack"
_T = TypeVar("_T", bound=BaseModel)
_KEYS = sorted(
    {
        name
        for kind in vars(model).values()
        if isinstance(kind, type) and issubclass(kind, BaseModel)
        for name in kind.model_fields
    }
)
_UNION_TAGS = {"threshold", "one_of", "presence", "share", "per_head", "window", "int", "float", "str", "CaseFact"}


def shipped_packs() -> list[str]:
    """Give the names of the packs that come with the program."""
    return sorted(folder.name for folder in PACKS.iterdir() if (folder / "standard.toml").is_file())


def load_pack(pack: str | Path) -> Pack:
    """Read and check a whole pack.

    Args:
        pack: name of a shipped pack, or a directory.

    Raises:
        PackError: names file, key and what was expected.
    """
    folder = _folder(pack)
    return _assemble({path.relative_to(folder).as_posix(): _table(path) for path in _files(folder)}, folder)


def restore_pack(content: str) -> Pack:
    """Make a pack from its archived content (`Pack.content`); it has the same hash.

    Raises:
        PackError: this version of the program does not understand it.
    """
    return _assemble(json.loads(content), Path(_ARCHIVE))


def _assemble(tables: Mapping[str, Mapping[str, Any]], folder: Path) -> Pack:
    """Check the tables of all files together and make the pack; `folder` only serves the sentences of errors."""
    standard_file = folder / "standard.toml"
    standard = _parse(Standard, tables["standard.toml"], standard_file)
    check_standard(standard, standard_file)
    rules: dict[str, Rule] = {}
    cases: dict[str, tuple[Case, ...]] = {}
    for name, table in tables.items():
        path = folder / name
        if name.startswith("rules/"):
            rules[path.stem] = _parse(Rule, table, path)
        elif name.startswith("cases/"):
            file = _parse(CaseFile, table, path)
            if file.rule != path.stem:
                raise PackError(f"{path}: key 'rule' is '{file.rule}', the file's name says '{path.stem}'")
            cases[file.rule] = file.case
    check_rules(standard, rules, folder)
    check_cases(standard, rules, cases, folder)
    return Pack(
        standard,
        in_reading_order(rules, folder),
        cases,
        _hash(tables),
        {rule: _hash(tables[f"rules/{rule}.toml"]) for rule in rules},
        {rule: inherited_origins(rule, rules, standard) for rule in rules},
        _canonical(tables),
    )


def _folder(pack: str | Path) -> Path:
    shipped = PACKS / pack if isinstance(pack, str) and "/" not in pack and pack not in ("", ".", "..") else None
    folder = shipped if shipped is not None and shipped.is_dir() else Path(pack)
    if not (folder / "standard.toml").is_file():
        known = ", ".join(shipped_packs())
        raise PackError(f"rule pack '{pack}': neither a shipped pack ({known}) nor a directory with a standard.toml")
    return folder


def _files(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    for path in files:
        name = path.relative_to(folder).as_posix()
        place, _, rest = name.rpartition("/")
        if name == "README.md" or name == "standard.toml" or (place in ("rules", "cases") and rest.endswith(".toml")):
            continue
        raise PackError(f"{path}: does not belong in a pack; expected standard.toml, rules/<id>.toml, cases/<id>.toml")
    return [path for path in files if path.suffix == ".toml"]


def _table(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise PackError(f"{path}: cannot be read ({error})") from error
    except tomllib.TOMLDecodeError as error:
        raise PackError(f"{path}: is not TOML: {error}") from error


def _parse(kind: type[_T], table: Mapping[str, Any], path: Path) -> _T:
    try:
        # In the archive dates are texts; in a file they must be dates.
        return kind.model_validate_json(_canonical(table)) if path.parts[0] == _ARCHIVE else kind.model_validate(table)
    except ValidationError as error:
        raise PackError(f"{path}: {_sentence(error)}") from error


def _sentence(error: ValidationError) -> str:
    """Turn the first complaint into a sentence; misspelt keys go before the keys that are missed because of them."""
    complaints = sorted(error.errors(), key=lambda item: item["type"] != "extra_forbidden")
    first = complaints[0]
    key = ".".join(str(piece) for piece in first["loc"] if piece not in _UNION_TAGS)
    if first["type"] == "extra_forbidden":
        wrong = str(first["loc"][-1])
        close = difflib.get_close_matches(wrong, _KEYS, n=1)
        return f"unknown key '{key}'" + (f"; did you mean '{close[0]}'?" if close else "")
    if first["type"] == "missing":
        return f"key '{key}' is missing"
    return f"key '{key}': {first['msg'][0].lower()}{first['msg'][1:]}, not {first['input']!r}"


def _hash(content: Any) -> str:
    """SHA-256 over the canonical JSON of the parsed TOML: comments, blanks and line ends change nothing."""
    return hashlib.sha256(_canonical(content).encode()).hexdigest()


def _canonical(content: Any) -> str:
    return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
