"""What the cases of a pack must hold: names that exist, each once, and expectations that fit their kind.

What they show together is `case_proof`'s; this is what can be told without running them.

Parsed models go in; PackError with file, key and what was expected comes out, or nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from phongmay_rules.case_model import Case, CaseKind
from phongmay_rules.cases import LINEAGE
from phongmay_rules.consistency import unknown_name
from phongmay_rules.errors import PackError
from phongmay_rules.facts.catalogue import FACTS
from phongmay_rules.model import KINDS_OF, Rule, Standard
from phongmay_store.register.compliance import State, SubjectKind


def check_cases(
    standard: Standard,
    rules: Mapping[str, Rule],
    visible: Iterable[str],
    cases: Mapping[str, tuple[Case, ...]],
    folder: Path,
) -> None:
    """Check that every rule of a pack has cases, and that they name what exists.

    Args:
        standard: of the pack and what it requires.
        rules: the pack's rules.
        visible: ids of the rules of the pack and of what it requires.
        cases: by rule.
        folder: of the pack, for the error's sentence.
    """
    for name in cases:
        if name not in rules:
            raise PackError(f"{folder / 'cases' / f'{name}.toml'}: there is no rule '{name}'")
    for name, rule in rules.items():
        file = folder / "cases" / f"{name}.toml"
        if not cases.get(name):
            raise PackError(
                f"{file}: rule {name} has no case; expected: this file, with every kind of case that applies"
            )
        names: set[str] = set()
        stated: list[Case] = []
        for case in cases[name]:
            where = f"case '{case.name}'"
            if case.name in names:
                raise PackError(f"{file}: key 'name': {where} stands there twice; expected: each name once")
            names.add(case.name)
            same = next((one for one in stated if _same(one, case)), None)
            if same is not None:
                raise PackError(f"{file}: {where} states the very same as case '{same.name}'; expected: each case once")
            stated.append(case)
            _check_case_kinds(rule, case, where, file)
            for fact in (*case.facts, *(fact for member in case.members for fact in member.facts)):
                if fact not in FACTS:
                    raise unknown_name(file, f"{where}: facts", fact, FACTS)
            for parameter in case.parameters:
                if parameter not in standard.parameters:
                    raise unknown_name(file, f"{where}: parameters", parameter, standard.parameters)
            if case.waiver is not None and case.waiver.rule and case.waiver.rule not in visible:
                raise unknown_name(file, f"{where}: waiver.rule", case.waiver.rule, visible)
            for member in case.members:
                for read in member.rules:
                    if read not in rule.reads_rules():
                        raise unknown_name(file, f"{where}: members.rules", read, rule.reads_rules())
            _check_expectation(case, where, file)


def _same(one: Case, other: Case) -> bool:
    """Tell whether two cases state the same under different names."""
    keys = ("facts", "subject", "members", "parameters", "waiver")
    return all(getattr(one, key) == getattr(other, key) for key in keys)


def _check_case_kinds(rule: Rule, case: Case, where: str, file: Path) -> None:
    """A case about a kind of thing that the rule never meets shows nothing."""
    known = rule.subject.of or KINDS_OF[rule.subject.kind]
    if case.subject.kind and case.subject.kind not in known:
        raise unknown_name(file, f"{where}: subject.kind", case.subject.kind, known)
    if case.waiver is not None and case.waiver.on not in LINEAGE[rule.subject.kind]:
        raise unknown_name(file, f"{where}: waiver.on", case.waiver.on, LINEAGE[rule.subject.kind])
    counted = rule.counts()
    below = [*(KINDS_OF[SubjectKind.DEVICE] if "devices" in counted else ()),
             *(KINDS_OF[SubjectKind.ROOM] if "rooms" in counted else ())]  # fmt: skip
    for member in case.members:
        if member.kind and member.kind not in below:
            raise unknown_name(file, f"{where}: members.kind", member.kind, below)


_EXPECTED: Mapping[CaseKind, tuple[State, ...]] = {
    CaseKind.PASS: (State.PASS,),
    CaseKind.FAIL: (State.FAIL,),
    CaseKind.AT_LIMIT: (State.PASS,),
    CaseKind.NO_DATA: (State.UNKNOWN,),
    CaseKind.STALE: (State.UNKNOWN,),
    CaseKind.NOT_APPLICABLE: (State.NOT_APPLICABLE,),
    CaseKind.WAIVED: (State.WAIVED,),
}


def _check_expectation(case: Case, where: str, file: Path) -> None:
    allowed = _EXPECTED.get(case.kind, tuple(State))
    if case.expect not in allowed:
        raise PackError(f"{file}: {where}: a case of kind '{case.kind}' expects {' or '.join(allowed)}, "
                        f"not '{case.expect}'")  # fmt: skip
