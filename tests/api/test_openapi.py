"""The description of the API is complete, and changes only when somebody means it.

After a wanted change renew the snapshot: PHONGMAY_RENEW=1 pytest tests/api/test_openapi.py, and look at its diff.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

pytestmark = pytest.mark.one_register

GOLDEN = Path(__file__).with_name("openapi.json")


@pytest.fixture
def description(client: TestClient) -> dict[str, Any]:
    """What the running application says of itself."""
    found: dict[str, Any] = client.get("/api/v1/openapi.json").json()
    return found


def test_snapshot(description: dict[str, Any]) -> None:
    """Programs rely on the API: any difference to the stored description must be meant (see above how to renew it)."""
    text = json.dumps(description, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    if os.environ.get("PHONGMAY_RENEW") == "1":
        GOLDEN.write_text(text, "utf-8")
    assert text == GOLDEN.read_text("utf-8"), "the API changed; if it is meant: PHONGMAY_RENEW=1 renews openapi.json"


def test_every_route_is_described(description: dict[str, Any], app: FastAPI) -> None:
    """Each operation has a summary, a description, an answer with a schema, problem documents and its security."""
    lacking = []
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            good = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
            content = next(iter(good["content"].values()))
            problems = [answer for status, answer in operation["responses"].items() if status.startswith(("4", "5"))]
            complete = (
                operation.get("summary")
                and operation.get("description")
                and content["schema"]
                and all("application/problem+json" in answer["content"] for answer in problems)
                and "security" in operation
            )
            if not complete:
                lacking.append(f"{method} {path}")
    assert lacking == []
    ids = [
        operation["operationId"] for operations in description["paths"].values() for operation in operations.values()
    ]
    assert len(ids) == len(set(ids))


def test_every_reference_resolves(description: dict[str, Any]) -> None:
    """No schema points to one that is not there."""
    pending: list[Any] = [description]
    missing = []
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                name = value["$ref"].removeprefix("#/components/schemas/")
                if name not in description["components"]["schemas"]:
                    missing.append(name)
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
    assert missing == []
