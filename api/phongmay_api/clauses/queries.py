"""Reads how units of the scope stand against every clause; the judgement of a clause is phongmay_rules.clauses'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from phongmay_api.access.scope import Scope
from phongmay_api.decisions import queries as decisions
from phongmay_rules.clauses import ClauseStanding, standings
from phongmay_rules.model import Pack
from phongmay_rules.summary import Summary, summarise
from phongmay_store.register.base import utc_now
from phongmay_store.register.decisions import Attestation
from phongmay_store.register.organisation import Unit


def standings_of(
    scope: Scope, pack: Pack, units: Sequence[Unit], summaries: Mapping[str, Summary] | None = None
) -> dict[str, list[ClauseStanding]]:
    """Give every clause for each of some units of the scope.

    Args:
        scope: who asks.
        pack: the packs in force.
        units: units of the scope.
        summaries: verdicts of these units where the caller has counted them already.
    """
    names = [unit.id for unit in units]
    stated: dict[str, dict[str, Attestation]] = {}
    for row in reversed(decisions.attestations(scope, names, at=utc_now())):  # oldest first: the newest stays
        stated.setdefault(row.unit_id, {})[row.clause_id] = row
    found = summaries or summarise(scope.session, names, pack=pack)
    return {name: standings(pack, found[name], stated.get(name, {})) for name in names}
