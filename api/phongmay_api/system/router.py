"""Routes for whoever watches the server, and the machine-readable description of the API."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from pydantic import BaseModel, Field

from phongmay_api.context import Series, Shared
from phongmay_api.routing import API, api_router
from phongmay_store.register.engine import require_current

router = api_router("system", prefix="")


class WellOut(BaseModel):
    """The server is well."""

    status: str = Field(examples=["ok"])


@router.get("/health", summary="Is the process alive")
def health() -> WellOut:
    """Say so; nothing else is touched."""
    return WellOut(status="ok")


@router.get("/ready", summary="Can the stores be read")
def ready(context: Shared, series: Series) -> WellOut:
    """Ask register and series; 503 as a problem document when one cannot be read or has an old revision."""
    require_current(context.engine)
    series.envelope_count("")
    return WellOut(status="ok")


@router.get(f"{API}/openapi.json", include_in_schema=False)
def openapi(request: Request) -> dict[str, Any]:
    """Describe the API as OpenAPI 3.1."""
    description: dict[str, Any] = request.app.openapi()
    return description
