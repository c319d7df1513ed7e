"""Reads rule packs: names of shipped packs or directories go in, one checked `Pack` that merges them comes out.

A misspelt key, an unknown unit, fact, parameter, rule or clause, a missing case or a bad date raises PackError, which
names file, key and what was expected. Layout of a pack: standard.toml, rules/<id>.toml, cases/<id>.toml.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from phongmay_rules import case_model, model
from phongmay_rules.case_consistency import check_cases
from phongmay_rules.case_model import Case, CaseFile
from phongmay_rules.case_proof import prove
from phongmay_rules.consistency import check_rules, check_standard
from phongmay_rules.errors import PackError
from phongmay_rules.merging import ASKED, Part, canonical, merge, visible
from phongmay_rules.model import Pack, Rule, Stamp, Standard
from phongmay_rules.settings import RulesSettings

PACKS = Path(__file__).with_name("packs")
_ARCHIVE = "archived pack"
_T = TypeVar("_T", bound=BaseModel)
_KEYS = sorted(
    {
        name
        for kind in (vars(model) | vars(case_model)).values()
        if isinstance(kind, type) and issubclass(kind, BaseModel)
        for name in kind.model_fields
    }
)
_CHECKS: Mapping[str, type[BaseModel]] = {
    "threshold": model.Threshold, "one_of": model.OneOf, "presence": model.Presence, "share": model.Share,
    "count": model.Count, "per_head": model.PerHead, "window": model.Window,
}  # fmt: skip
_KEY = re.compile(r"([A-Za-z0-9_.-]+)\s*=")
"""A key of a TOML file, also within an inline table."""
_UNION_TAGS = {*_CHECKS, "int", "float", "str", "CaseFact"}


def shipped_packs() -> list[str]:
    """Give the names of the packs that come with the program."""
    return sorted(folder.name for folder in PACKS.iterdir() if (folder / "standard.toml").is_file())


def load_pack(pack: str | Path) -> Pack:
    """Read and check one pack with those that it requires; see `load_packs`."""
    return load_packs([pack])


def packs_in_force(settings: RulesSettings) -> Pack:
    """Read and check the packs that the settings name; see `load_packs`."""
    return load_packs(settings.packs, settings.optional)


def load_packs(packs: Sequence[str | Path], optional: Iterable[str] = (), *, proven: bool = True) -> Pack:
    """Read and check packs, with those that they require, and merge them.

    Args:
        packs: names of shipped packs, or directories. A directory goes before a shipped pack of the same id.
        optional: rules to judge although their pack has them switched off.
        proven: False leaves out to run the cases, so that somebody can run them one by one; judge by no such pack.

    Raises:
        PackError: names file, key and what was expected.
    """
    if not packs:
        raise PackError("key 'rules.packs' is empty; expected at least one shipped pack or directory")
    merged, folders = _assemble([_read(_folder(pack)) for pack in packs], optional)
    if proven:
        prove(merged, folders)
    return merged


def restore_pack(content: str) -> Pack:
    """Make a pack from its archived content (`Pack.content`); it has the same hash.

    What its cases show is not asked again: it judged by the demands of its day.

    Raises:
        PackError: this version of the program does not understand it.
    """
    files: dict[str, Any] = json.loads(content)
    asked = files.pop(ASKED, None)
    if not isinstance(asked, dict):
        raise PackError(f"{_ARCHIVE}: does not say which packs were asked for; an earlier version wrote it")
    tables: dict[str, dict[str, Any]] = {}
    for name, table in files.items():
        pack, _, file = name.partition("/")
        tables.setdefault(pack, {})[file] = table
    parts = {pack: _part(found, Path(_ARCHIVE) / pack) for pack, found in tables.items()}
    merged, _ = _assemble([parts[name] for name in asked["packs"]], asked["optional"], parts)
    return merged


def readable_files(pack: str | Path) -> tuple[str, dict[str, Any]]:
    """Give the id of a pack and what its files say, unchecked; a file that cannot be read says nothing.

    Raises:
        PackError: there is no such pack.
    """
    folder, tables = _folder(pack), dict[str, Any]()
    for path in sorted(folder.rglob("*.toml")):
        try:
            tables[path.relative_to(folder).as_posix()] = _table(path)
        except PackError:
            tables[path.relative_to(folder).as_posix()] = None
    standard = tables["standard.toml"]
    return str(standard["id"]) if isinstance(standard, dict) and "id" in standard else folder.name, tables


def _assemble(
    named: Sequence[Part], optional: Iterable[str], archived: Mapping[str, Part] | None = None
) -> tuple[Pack, dict[str, Path]]:
    """Check packs together with those that they require, out of the archive or the shipped ones, and merge them.

    Returns:
        The pack, and the folder of each of its packs.
    """
    parts: dict[str, Part] = {}
    by_id: dict[str, Part] = dict(archived or {})
    for part in named:
        if by_id.setdefault(part.standard.id, part).folder != part.folder:
            other = by_id[part.standard.id].folder
            raise PackError(f"pack '{part.standard.id}' is named twice: {other}, {part.folder}")

    def add(part: Part, path: tuple[str, ...]) -> None:
        name = part.standard.id
        if name in path:
            raise PackError(f"{part.folder / 'standard.toml'}: packs require each other in a ring: "
                            f"{' > '.join((*path, name))}; expected: none requires one that requires it")  # fmt: skip
        for required in part.standard.requires:
            if required not in by_id:
                if required not in shipped_packs():
                    raise PackError(f"{part.folder / 'standard.toml'}: key 'requires': unknown '{required}'; expected: "
                                    f"a shipped pack ({', '.join(shipped_packs())}) or one that is named")  # fmt: skip
                by_id[required] = _read(PACKS / required)
            add(by_id[required], (*path, name))
        parts.setdefault(name, part)

    for part in named:
        add(part, ())
    for part in parts.values():
        seen = visible(part, parts)
        check_standard(part.standard, seen.standard, part.folder / "standard.toml")
        check_rules(part.standard, part.rules, seen.standard, seen.rules, part.folder)
        if archived is None:
            check_cases(seen.standard, part.rules, seen.rules, part.cases, part.folder)
    pack = merge(parts, [part.standard.id for part in named], optional)
    return pack, {name: part.folder for name, part in parts.items()}


def _read(folder: Path) -> Part:
    return _part({path.relative_to(folder).as_posix(): _table(path) for path in _files(folder)}, folder)


def _part(tables: Mapping[str, Mapping[str, Any]], folder: Path) -> Part:
    """Read the tables of one pack's files; `folder` only serves the sentences of errors."""
    standard = _parse(Standard, tables["standard.toml"], folder / "standard.toml")
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
    hashes = {rule: _hash(tables[f"rules/{rule}.toml"]) for rule in rules}
    return Part(
        folder,
        standard,
        rules,
        cases,
        Stamp(standard.id, standard.version, _hash(tables), standard.title),
        hashes,
        tables,
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
        text = path.read_text("utf-8")
        return tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise PackError(f"{path}: cannot be read ({error})") from error
    except tomllib.TOMLDecodeError as error:
        raise PackError(f"{path}: {_not_toml(text, str(error))}") from error


def _not_toml(text: str, complaint: str) -> str:
    """Say what the parser met, with the key that stands before that place and what was expected there."""
    place = re.search(r"at line (\d+), column (\d+)", complaint)
    number, column = (int(place[1]), int(place[2])) if place else (text.count("\n") + 1, 0)
    before = text.splitlines()[:number]
    if place and before:
        before[-1] = before[-1][:column]
    keys = (key for line in reversed(before) for key in reversed(_KEY.findall(line.split(" #")[0])))
    key = next(keys, "")
    dated = "invalid date" in complaint.lower()
    expected = "; expected a day that the calendar has, such as 2026-11-01" if dated else ""
    return (f"key '{key}': " if key else "") + f"is not TOML: {complaint}{expected}"


def _parse(kind: type[_T], table: Mapping[str, Any], path: Path) -> _T:
    try:
        # In the archive dates are texts; in a file they must be dates.
        return kind.model_validate_json(canonical(table)) if path.parts[0] == _ARCHIVE else kind.model_validate(table)
    except ValidationError as error:
        raise PackError(f"{path}: {_sentence(error, kind)}") from error


def _sentence(error: ValidationError, kind: type[BaseModel]) -> str:
    """Turn the first complaint into a sentence; misspelt keys go before the keys that are missed because of them."""
    complaints = sorted(error.errors(), key=lambda item: item["type"] != "extra_forbidden")
    first = complaints[0]
    key = ".".join(str(piece) for piece in first["loc"] if piece not in _UNION_TAGS)
    if first["type"] == "extra_forbidden":
        wrong = str(first["loc"][-1])
        close = difflib.get_close_matches(wrong, _KEYS, n=1)
        around = first["loc"][-2] if len(first["loc"]) > 1 else ""
        table = _CHECKS.get(str(around), kind if not around else None)
        known = ", ".join(table.model_fields) if table else f"a key of the table '{around}'"
        return f"unknown key '{key}'; " + (f"did you mean '{close[0]}'?" if close else f"expected one of: {known}")
    if first["type"] == "missing":
        return f"key '{key}' is missing"
    if first["type"] == "union_tag_not_found":
        there = ", ".join(f"'{name}'" for name in first["input"]) if isinstance(first["input"], dict) else "nothing"
        return f"key '{key}.kind' is missing among {there}; expected one of: {', '.join(_CHECKS)}"
    return " ".join(f"key '{key}': {first['msg'][0].lower()}{first['msg'][1:]}, not {first['input']!r}".split())


def _hash(content: Any) -> str:
    """SHA-256 over the canonical JSON of the parsed TOML: comments, blanks and line ends change nothing."""
    return hashlib.sha256(canonical(content).encode()).hexdigest()
