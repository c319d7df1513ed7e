"""What the cases of a pack must hold: every rule its four kinds, names that exist, expectations that fit their kind.

Parsed models go in; PackError with file, key and what was expected comes out, or nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from phongmay_rules.case_model import REQUIRED_CASES, Case, CaseKind
from phongmay_rules.consistency import unknown_name
from phongmay_rules.errors import PackError
from phongmay_rules.facts.catalogue import FACTS
from phongmay_rules.model import KINDS_OF, Rule, Standard
from phongmay_store.register.compliance import State, SubjectKind


def check_cases(
    standard: Standard, rules: Mapping[str, Rule], cases: Mapping[str, tuple[Case, ...]], folder: Path
) -> None:
    """Check that every rule has its four cases, and that cases name what exists."""
    for name in cases:
        if name not in rules:
            raise PackError(f"{folder / 'cases' / f'{name}.toml'}: there is no rule '{name}'")
    for name, rule in rules.items():
        file = folder / "cases" / f"{name}.toml"
        present = {case.kind for case in cases.get(name, ())}
        absent = [kind.value for kind in REQUIRED_CASES if kind not in present]
        if absent:
            raise PackError(f"{file}: rule {name} has no case of kind {', '.join(absent)}; every rule needs "
                            f"{', '.join(kind.value for kind in REQUIRED_CASES)}")  # fmt: skip
        names: set[str] = set()
        for case in cases[name]:
            where = f"case '{case.name}'"
            if case.name in names:
                raise PackError(f"{file}: key 'name': {where} stands there twice; expected: each name once")
            names.add(case.name)
            _check_case_kinds(rule, case, where, file)
            for fact in (*case.facts, *(fact for member in case.members for fact in member.facts)):
                if fact not in FACTS:
                    raise unknown_name(file, f"{where}: facts", fact, FACTS)
            for parameter in case.parameters:
                if parameter not in standard.parameters:
                    raise unknown_name(file, f"{where}: parameters", parameter, standard.parameters)
            for member in case.members:
                for read in member.rules:
                    if read not in rule.reads_rules():
                        raise unknown_name(file, f"{where}: members.rules", read, rule.reads_rules())
            _check_expectation(case, where, file)


def _check_case_kinds(rule: Rule, case: Case, where: str, file: Path) -> None:
    """A case about a kind of thing that the rule never meets shows nothing."""
    known = rule.subject.of or KINDS_OF[rule.subject.kind]
    if case.subject.kind and case.subject.kind not in known:
        raise unknown_name(file, f"{where}: subject.kind", case.subject.kind, known)
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
}


def _check_expectation(case: Case, where: str, file: Path) -> None:
    allowed = _EXPECTED.get(case.kind, tuple(State))
    if case.expect not in allowed:
        raise PackError(f"{file}: {where}: a case of kind '{case.kind}' expects {' or '.join(allowed)}, "
                        f"not '{case.expect}'")  # fmt: skip
