"""What the page of parameters shows: values in force with default, bounds and signer, and what others would change.

Base units become marketed ones here. Names of units above that may not be seen are not told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from phongmay_api.access.scope import Scope
from phongmay_api.pages.district import crumbs
from phongmay_api.pages.proof import subject_names
from phongmay_api.pages.texts import Texts
from phongmay_api.parameters import acting
from phongmay_api.rules.queries import parameter_names
from phongmay_rules.adopting import Effect
from phongmay_rules.deciding import may_decide
from phongmay_rules.explain import format_value, origin_name, sentence
from phongmay_rules.model import Pack
from phongmay_rules.setting import InForce, past_values, shown_in, typed
from phongmay_store.register.compliance import Parameter
from phongmay_store.register.organisation import Unit
from phongmay_store.register.timetable import LOCAL

_EXAMPLES = 30


@dataclass(frozen=True, slots=True)
class SetLine:
    """What a unit set: who, for which unit, when, why; `begins` = local day of its own from which it holds."""

    value: str
    login: str
    unit: str
    at: datetime
    reason: str
    begins: date | None


@dataclass(frozen=True, slots=True)
class Line:
    """A parameter as it holds.

    Attributes:
        sign: of the field in which another value is typed.
        field: the value in force as it would be typed.
    """

    found: InForce
    about: str
    value: str
    default: str
    low: str
    high: str
    origin: str
    rules: Sequence[str]
    sign: str
    field: str
    setting: SetLine | None
    pending: SetLine | None
    history: Sequence[SetLine]


@dataclass(frozen=True, slots=True)
class EffectView:
    """What a value would change."""

    line: Line
    after: str
    kept: Sequence[tuple[str, str, bool]]
    changed: int
    judged: int
    moves: Sequence[tuple[str, str, str, int]]
    examples: Sequence[tuple[str, str, str, str]]


@dataclass(frozen=True, slots=True)
class ParametersView:
    """The page.

    Attributes:
        chosen: the parameter for which a form is shown.
    """

    unit: Unit
    crumbs: Sequence[Unit]
    lines: Sequence[Line]
    may_set: bool
    chosen: Line | None
    effect: EffectView | None
    sample: bool


def parameters_view(
    scope: Scope, pack: Pack, unit: Unit, words: Texts, chosen: str = "", effect: tuple[float, Effect] | None = None
) -> ParametersView:
    """Gather the page of a unit of the scope.

    Args:
        scope: who asks.
        pack: the packs in force.
        unit: the unit.
        words: the language.
        chosen: parameter for which a form is shown; "" = none.
        effect: a wanted value for it and what it would change.
    """
    above = acting.lineage(scope, unit.id)
    names = {found.id: found.name for found in scope.session.scalars(Unit.at().where(Unit.id.in_(above)))}
    names = {unit_id: name for unit_id, name in names.items() if unit_id in scope.visible}
    lines = {
        name: _line(scope, pack, found, words, names, above if name == chosen else ())
        for name, found in acting.in_force(scope, pack, unit.id).items()
    }
    line = lines.get(chosen)
    return ParametersView(
        unit=unit,
        crumbs=[*crumbs(scope, unit), unit],
        lines=list(lines.values()),
        may_set=scope.principal.is_account and may_decide(scope.session, scope.principal.name, unit.id),
        chosen=line,
        effect=_effect(scope, pack, unit, words, line, *effect) if line and effect else None,
        sample=unit.is_sample,
    )


def _line(
    scope: Scope, pack: Pack, found: InForce, words: Texts, names: dict[str, str], above: Sequence[str]
) -> Line:  # fmt: skip
    declared, language = found.declared, words.language

    def show(value: float) -> str:
        return format_value(value, declared.unit, language)

    def said(row: Parameter) -> SetLine:
        unit = names.get(row.unit_id) or words("parameter_above")
        return SetLine(
            show(row.value),
            row.set_by,
            unit,
            row.recorded_at,
            f"{row.reason} [{row.source}]" if row.source else row.reason,
            row.valid_from.astimezone(LOCAL).date() if row.valid_from else None,
        )

    past = past_values(scope.session, pack, found.name, scope.visible.intersection(above)) if above else []
    return Line(
        found=found,
        about=declared.about.in_(language),
        value=show(found.value),
        default=show(declared.value),
        low=show(declared.low),
        high=show(declared.high),
        origin=origin_name(declared.number_from, language),
        rules=sorted(rule.id for rule in pack.rules.values() if found.name in set(parameter_names(pack, rule))),
        sign=shown_in(declared, language)[1],
        field=typed(declared, found.value, language),
        setting=said(found.row) if found.row else None,
        pending=said(found.pending) if found.pending else None,
        history=[said(row) for row in past],
    )


def _effect(
    scope: Scope, pack: Pack, unit: Unit, words: Texts, line: Line, value: float, found: Effect
) -> EffectView:  # fmt: skip
    moves = Counter((change.key[2], change.before.state.value, change.after.state.value) for change in found.changes)
    shown = found.changes[:_EXAMPLES]
    names: dict[tuple[str, str], str] = {}
    declared = line.found.declared
    unit_names = {below.id: below.name for below in scope.below(unit.id)} if found.kept else {}
    if shown:
        for below in scope.below(unit.id):
            names |= subject_names(scope, below)
    return EffectView(
        line=line,
        after=format_value(value, declared.unit, words.language),
        kept=[
            (
                unit_names.get(one.unit_id, one.unit_id),
                format_value(one.value, declared.unit, words.language),
                one.in_bounds,
            )
            for one in found.kept
        ],
        changed=len(found.changes),
        judged=found.judged,
        moves=[(*move, count) for move, count in sorted(moves.items())],
        examples=[
            (
                change.key[2],
                names.get(change.key[:2], change.key[1]),
                change.after.state.value,
                sentence(change.after, pack.rules[change.key[2]], words.language),
            )
            for change in shown
        ],
    )
