"""Makes the routers of the JSON API, all alike: full path, tag, guard, problem documents, no unknown parameters.

Routers carry their full paths and the application takes their routes as they are, so `app.routes` is one flat list:
the table of permissions and the tests of access read it.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Depends, Request
from fastapi.dependencies.models import Dependant

from phongmay_api.access.scope import authorize
from phongmay_api.problems import RESPONSES, bad_value

API = "/api/v1"
_EVERYWHERE = frozenset({"lang"})
"""Parameters that every route takes: the language of sentences, also where there are none."""


def known_parameters(request: Request) -> None:
    """Refuse what a route does not know: a question that is not understood must not be answered as if it were.

    Raises:
        Problem: 422, naming the parameter and those that there are.
    """
    known = set(_names(request.scope["route"].dependant))
    for name in request.query_params:
        if name not in known | _EVERYWHERE:
            there = ", ".join(sorted(known)) or "none"
            raise bad_value(f"query/{name}", f"This route has no parameter {name!r}; it takes: {there}.")


def _names(dependant: Dependant) -> Iterator[str]:
    yield from (field.alias for field in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _names(inner)


def api_router(tag: str, prefix: str = API) -> APIRouter:
    """Make a router for one domain of the JSON API."""
    return APIRouter(
        prefix=prefix, tags=[tag], dependencies=[Depends(authorize), Depends(known_parameters)], responses=RESPONSES
    )
