"""Makes the routers of the JSON API, all alike: full path, tag, guard, problem documents.

Routers carry their full paths and the application takes their routes as they are, so `app.routes` is one flat list:
the table of permissions and the tests of access read it.
"""

from __future__ import annotations

from fastapi import APIRouter, Depends

from phongmay_api.access.scope import authorize
from phongmay_api.problems import RESPONSES

API = "/api/v1"


def api_router(tag: str, prefix: str = API) -> APIRouter:
    """Make a router for one domain of the JSON API."""
    return APIRouter(prefix=prefix, tags=[tag], dependencies=[Depends(authorize)], responses=RESPONSES)
