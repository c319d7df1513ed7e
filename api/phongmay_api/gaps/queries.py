"""Makes the gap list of a unit of the scope, bounded in time; what prevents it is a problem with its remedy.

Few are made at once: the solver takes a processor for seconds, and the pages of others must stay quick.
"""

from __future__ import annotations

import threading
from http import HTTPStatus

from phongmay_api.access.scope import Scope
from phongmay_api.problems import Problem
from phongmay_rules.gaps.listing import GapList, make_gap_list
from phongmay_rules.gaps.prices import read_prices
from phongmay_rules.gaps.solving import SolverError, SolverMissingError
from phongmay_rules.model import Pack
from phongmay_rules.standing import read_standing
from phongmay_store.register.organisation import Unit

LIMIT_S = 20.0
"""Longest time of the solver for one answer."""
MAX_BUDGET = 10**13
_ONE_AT_A_TIME = threading.BoundedSemaphore(1)


def gap_list(scope: Scope, pack: Pack, unit: Unit, budget: int | None) -> GapList:
    """Make the list for a unit and everything below it.

    Args:
        scope: who asks; the unit is in it.
        pack: packs in force.
        unit: the unit.
        budget: whole VND; None = the cheapest set that mends all that can be mended.

    Raises:
        Problem: 501 without the solver, 503 while another list is being made or when nothing is found in time.
    """
    if not _ONE_AT_A_TIME.acquire(timeout=LIMIT_S):
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE, "solver_busy", "Another list is being made; try again shortly.",
            {"Retry-After": "10"},
        )  # fmt: skip
    try:
        standing = read_standing(scope.session, pack, unit.id)
        return make_gap_list(standing, read_prices(), budget=budget, limit_s=LIMIT_S)
    except SolverMissingError as error:
        raise Problem(HTTPStatus.NOT_IMPLEMENTED, "no_solver", str(error)) from error
    except SolverError as error:
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "solver_too_slow", str(error)) from error
    finally:
        _ONE_AT_A_TIME.release()
