"""What the catalogue page shows: every pack in force with its documents, clauses, rules and parameters.

Everything comes from the packs, but for the values that the unit of the page has in force.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from phongmay_api.pages.texts import Texts
from phongmay_api.rules.queries import parameter_names
from phongmay_contract.units import Unit
from phongmay_rules.explain import format_value, origin_name
from phongmay_rules.explanation import official_number
from phongmay_rules.facts.catalogue import DAY, FACTS, FactKind, basis
from phongmay_rules.model import Clause, Pack, Rule, Stamp
from phongmay_rules.setting import InForce, Settings
from phongmay_store.register.timetable import LOCAL


@dataclass(frozen=True, slots=True)
class ClauseLine:
    """A clause with the rules that judge it."""

    clause: Clause
    rules: Sequence[str]


@dataclass(frozen=True, slots=True)
class DocumentPart:
    """A document with its clauses.

    Attributes:
        body_read: somebody of this project read it; otherwise its clauses are reported, not quoted.
    """

    number: str
    title: str
    body_read: bool
    clauses: Sequence[ClauseLine]


@dataclass(frozen=True, slots=True)
class ParameterLine:
    """A figure that an organisation may set, with its default and bounds as people read them.

    Attributes:
        here: the value in force for the unit of the page where it is another than the default; "" = the default.
    """

    name: str
    about: str
    value: str
    bounds: str
    origin: str
    is_own: bool
    source: str
    here: str


@dataclass(frozen=True, slots=True)
class RuleLine:
    """A rule.

    Attributes:
        status: "judged", "off", "not_yet", "over" (in force or switched on, by the date of the page).
        is_measured: everything that it reads can be measured or declared.
    """

    rule: Rule
    pack: Stamp
    status: str
    duty: str
    origins: Sequence[tuple[str, bool]]
    is_measured: bool
    parameters: Sequence[ParameterLine]


@dataclass(frozen=True, slots=True)
class FactLine:
    """A fact as the catalogue declares it.

    Attributes:
        basis: which time it is about, and how much must be known for it.
        freshness: days after which it is stale; "" = computed by every evaluation.
    """

    kind: FactKind
    about: str
    basis: str
    freshness: str


@dataclass(frozen=True, slots=True)
class CatalogueView:
    """The whole page."""

    packs: Sequence[tuple[Stamp, str]]
    assessments: Mapping[str, int]
    rules: Sequence[RuleLine]
    documents: Sequence[DocumentPart]
    facts: Sequence[FactLine]


def catalogue_view(pack: Pack, words: Texts, settings: Settings | None = None) -> CatalogueView:
    """Gather the page.

    Args:
        pack: the packs in force.
        words: the language.
        settings: parameters as they hold for the unit of the page.
    """
    language = words.language
    today = datetime.now(LOCAL).date()
    by_clause: dict[str, list[str]] = {}
    for rule in sorted(pack.rules.values(), key=lambda rule: rule.id):
        for cited in rule.clauses:
            by_clause.setdefault(cited, []).append(rule.id)
    documents = [
        DocumentPart(
            official_number(document, language),
            document.title.in_(language),
            document.body_read,
            [
                ClauseLine(clause, by_clause.get(clause.id, []))
                for clause in pack.standard.clause
                if clause.document == name
            ],
        )
        for name, document in pack.standard.documents.items()
    ]
    return CatalogueView(
        [(stamp, stamp.title.in_(language)) for stamp in pack.stamps.values()],
        Counter(clause.assessment.value for clause in pack.standard.clause),
        [
            _rule(pack, rule, today, language, settings or {})
            for rule in sorted(pack.rules.values(), key=lambda rule: rule.id)
        ],
        [part for part in documents if part.clauses],
        [_fact(kind, language) for kind in FACTS.values()],
    )


def _fact(kind: FactKind, language: str) -> FactLine:
    fresh = "" if kind.freshness_s is None else format_value(kind.freshness_s / DAY, Unit.DAY, language)
    return FactLine(kind, kind.vi if language == "vi" else kind.en, basis(kind, language), fresh)


def _rule(pack: Pack, rule: Rule, today: date, language: str, settings: Settings) -> RuleLine:
    document = pack.standard.documents.get(rule.duty)
    origins = dict.fromkeys([rule.number_from, *pack.inherited[rule.id]])
    if rule.id not in pack.active:
        status = "off"
    elif rule.in_force(today):
        status = "judged"
    else:
        status = "not_yet" if today < rule.valid_from else "over"
    return RuleLine(
        rule,
        pack.stamp(rule.id),
        status,
        (official_number(document, language) or document.title.in_(language)) if document else "",
        [(origin_name(origin, language), origin == "district_setting") for origin in origins],
        all(FACTS[fact].measurable for fact in rule.facts()),
        [_parameter(pack, name, language, settings.get(name)) for name in sorted(set(parameter_names(pack, rule)))],
    )


def _parameter(pack: Pack, name: str, language: str, held: InForce | None) -> ParameterLine:
    parameter = pack.standard.parameters[name]
    low, value, high = (
        format_value(number, parameter.unit, language) for number in (parameter.low, parameter.value, parameter.high)
    )
    return ParameterLine(
        name,
        parameter.about.in_(language),
        value,
        "" if parameter.low == parameter.high else f"{low} – {high}",
        origin_name(parameter.number_from, language),
        parameter.number_from == "district_setting",
        parameter.source.in_(language),
        "" if held is None or held.is_default else format_value(held.value, parameter.unit, language),
    )
