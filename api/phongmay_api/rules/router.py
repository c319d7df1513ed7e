"""Routes of rules."""

from __future__ import annotations

from phongmay_api.access.scope import CurrentScope
from phongmay_api.context import Shared
from phongmay_api.paging import Page
from phongmay_api.routing import api_router
from phongmay_api.rules import queries
from phongmay_api.rules.schemas import RuleDetail, RuleOut

router = api_router("rules")


@router.get("/rules", summary="List rules")
def list_rules(context: Shared, _scope: CurrentScope) -> Page[RuleOut]:
    """Give the rules of the pack in force, in order of id; there are few, so they are always on one page."""
    rules = sorted(context.pack.rules.values(), key=lambda rule: rule.id)
    return Page(items=[queries.brief(context.pack, rule) for rule in rules], next_cursor=None)


@router.get("/rules/{rule_id}", summary="Get a rule")
def get_rule(context: Shared, _scope: CurrentScope, rule_id: str) -> RuleDetail:
    """Give one rule with its clauses, its duty, whose figures it uses and its parameters."""
    return queries.detail(context.pack, queries.rule(context.pack, rule_id))
