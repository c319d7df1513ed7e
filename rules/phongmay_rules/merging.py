"""Merges checked packs into one name space: parts go in, a `Pack` comes out.

A rule, clause or parameter that two packs declare, or a group or document that they declare differently, raises
PackError that names both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phongmay_rules.case_model import Case
from phongmay_rules.consistency import in_reading_order, inherited_origins
from phongmay_rules.errors import PackError
from phongmay_rules.model import Pack, Rule, Stamp, Standard

ASKED = "asked.json"
"""Beside the files in a merged pack's content: which packs and optional rules were asked for."""


@dataclass(frozen=True, slots=True)
class Part:
    """One pack as it was read from its folder."""

    folder: Path
    standard: Standard
    rules: Mapping[str, Rule]
    cases: Mapping[str, tuple[Case, ...]]
    stamp: Stamp
    rule_hashes: Mapping[str, str]
    tables: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the rules of one pack may refer to: its own content and that of the packs which it requires."""

    standard: Standard
    rules: Mapping[str, Rule]


def visible(part: Part, parts: Mapping[str, Part]) -> Seen:
    """Give what a pack may refer to.

    Raises:
        PackError: two of the packs contradict each other.
    """
    wanted = [part.standard.id]
    for name in wanted:  # grows while it is walked: requirements of requirements
        wanted += [required for required in parts[name].standard.requires if required not in wanted]
    chosen = [parts[name] for name in wanted]
    return Seen(_standard(chosen, part.standard.id), _rules(chosen))


def merge(parts: Mapping[str, Part], named: Sequence[str], optional: Iterable[str]) -> Pack:
    """Merge packs.

    Args:
        parts: all packs by id, required ones before those that require them.
        named: ids of the packs that were asked for; they come first in lists of groups, and make the name.
        optional: rules to judge although their pack has them switched off.

    Raises:
        PackError: the packs contradict each other, an optional rule does not exist, or a rule that is judged reads
            one that is not.
    """
    shown = [parts[name] for name in (*named, *(name for name in parts if name not in named))]
    name = "+".join(named)
    rules = in_reading_order(_rules(shown), shown[0].folder)
    wanted = frozenset(optional)
    standard = _standard(shown, name)
    if wanted:  # other rules are judged, so it is another version of the whole
        standard = standard.model_copy(update={"version": f"{standard.version} with {', '.join(sorted(wanted))}"})
    files: dict[str, Any] = {f"{part.standard.id}/{file}": t for part in shown for file, t in part.tables.items()}
    content = canonical(files | {ASKED: {"packs": list(named), "optional": sorted(wanted)}})
    absent = sorted(wanted - rules.keys())
    if absent:
        raise PackError(f"key 'rules.optional': no pack in force has the rule '{absent[0]}'")
    active = frozenset(rule.id for rule in rules.values() if rule.enabled or rule.id in wanted)
    for rule in (rules[one] for one in sorted(active)):
        off = [read for read in rule.reads_rules() if read not in active]
        if off:
            raise PackError(f"rule {rule.id} is judged, but it reads {off[0]}, which is switched off; "
                            f"add {off[0]} to 'rules.optional'")  # fmt: skip
    return Pack(
        standard,
        rules,
        active,
        {rule: cases for part in shown for rule, cases in part.cases.items()},
        {part.standard.id: part.stamp for part in parts.values()},
        {rule: part.standard.id for part in shown for rule in part.rules},
        {parameter: part.standard.id for part in shown for parameter in part.standard.parameters},
        hashlib.sha256(content.encode()).hexdigest(),
        {rule: digest for part in shown for rule, digest in part.rule_hashes.items()},
        {rule: inherited_origins(rule, rules, standard) for rule in rules},
        name,
        content,
    )


def _standard(parts: Sequence[Part], name: str) -> Standard:
    clauses: dict[str, Part] = {}
    for part in parts:
        for clause in part.standard.clause:
            other = clauses.setdefault(clause.id, part)
            if other is not part:
                raise _twice("clause", clause.id, other, part)
    return parts[0].standard.model_copy(
        update={
            "id": name,
            "version": "+".join(part.standard.version for part in parts),
            "groups": _equal(parts, "groups"),
            "documents": _equal(parts, "documents"),
            "parameters": _single(parts, "parameter", lambda part: part.standard.parameters),
            "clause": tuple(clause for part in parts for clause in part.standard.clause),
        }
    )


def _rules(parts: Sequence[Part]) -> dict[str, Rule]:
    return _single(parts, "rule", lambda part: part.rules)


def _single(parts: Sequence[Part], what: str, content: Any) -> dict[str, Any]:
    out: dict[str, Any] = {}
    owners: dict[str, Part] = {}
    for part in parts:
        for key, value in content(part).items():
            if key in out:
                raise _twice(what, key, owners[key], part)
            out[key], owners[key] = value, part
    return out


def _equal(parts: Sequence[Part], key: str) -> dict[str, Any]:
    """Merge what several packs may declare as long as they say the same."""
    out: dict[str, Any] = {}
    for part in parts:
        for name, value in getattr(part.standard, key).items():
            if out.setdefault(name, value) != value:
                raise PackError(f"{part.folder / 'standard.toml'}: key '{key}.{name}' differs from another pack's; "
                                "expected the very same text")  # fmt: skip
    return out


def _twice(what: str, name: str, one: Part, other: Part) -> PackError:
    file = one.folder / (f"rules/{name}.toml" if what == "rule" else "standard.toml")
    return PackError(f"{file}: {what} '{name}' stands in two packs: {one.folder} and {other.folder}; expected one of "
                     "them only")  # fmt: skip


def canonical(content: Any) -> str:
    """Give the canonical JSON of parsed TOML: comments, blanks, line ends and the order of keys are gone."""
    return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
