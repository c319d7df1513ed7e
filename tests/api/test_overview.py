"""Routes that say how things stand now, and gauges by the hour."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from phongmay_rules.overview import Condition
from phongmay_store.register.access import Role

pytestmark = pytest.mark.one_register
UNIT = "/api/v1/organisation-units/unit-zz-own-zz"
Key = Callable[..., dict[str, str]]


def test_an_overview_counts_every_device_in_one_condition(client: TestClient, key: Key) -> None:
    """Own school and the one below it; the sibling's are not there; no collector hears now, so all is unknown."""
    found = client.get(f"{UNIT}/overview", headers=key()).json()
    assert {school["unit_id"] for school in found["schools"]} == {"unit-zz-own-zz", "unit-zz-child-zz"}
    assert found["heard_minutes"] == 0
    for school in found["schools"]:
        assert {*school["sums"]["conditions"]} == {*Condition}
        assert school["sums"]["conditions"]["unknown"] == school["sums"]["devices"] == 1
        assert sum(room["sums"]["devices"] for room in school["rooms"]) == 1


def test_conditions_come_page_by_page(client: TestClient, key: Key) -> None:
    """Each device once, in order of id, with what is not known as null."""
    headers = key()
    first = client.get(f"{UNIT}/conditions", params={"limit": 1}, headers=headers).json()
    assert first["next_cursor"]
    second = client.get(f"{UNIT}/conditions", params={"cursor": first["next_cursor"]}, headers=headers).json()
    items = first["items"] + second["items"]
    assert [one["device_id"] for one in items] == ["pc-zz-child-zz", "pc-zz-own-zz"]
    assert second["next_cursor"] is None
    assert items[0]["memory_bytes"] is None
    assert items[0]["condition"] == "unknown"


def test_hours_are_over_all_devices_of_the_unit(client: TestClient, key: Key) -> None:
    """Three rounds of two devices in one hour; the hours without any are absent."""
    asked = {"start": "2026-11-23T00:00:00Z", "end": "2026-11-23T04:00:00Z"}
    found = client.get(f"{UNIT}/hours/usage/cpu_busy_ratio", params=asked, headers=key()).json()
    assert (found["unit"], len(found["hours"])) == ("ratio", 1)
    assert found["hours"][0]["hour"] == "2026-11-23T01:00:00Z"
    assert (found["hours"][0]["samples"], found["hours"][0]["mean"]) == (6, 0.25)


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("hours/usage/nothing", {}, 404),
        ("hours/hardware/memory_bytes", {}, 404),
        ("hours/usage/cpu_busy_ratio", {"start": "2026-11-23T04:00:00Z", "end": "2026-11-23T04:00:00Z"}, 422),
        ("hours/usage/cpu_busy_ratio", {"start": "2020-01-01T00:00:00Z", "end": "2026-11-23T04:00:00Z"}, 422),
    ],
)
def test_what_has_no_hours_is_refused(
    client: TestClient, key: Key, path: str, query: dict[str, str], status: int
) -> None:
    """No gauge, an empty time, or one that is too long."""
    assert client.get(f"{UNIT}/{path}", params=query, headers=key()).status_code == status


@pytest.mark.parametrize("path", ["overview", "conditions", "hours/usage/cpu_busy_ratio"])
def test_measured_values_need_the_right_to_them(client: TestClient, key: Key, path: str) -> None:
    """A viewer may read verdicts, not what single machines measured."""
    assert client.get(f"{UNIT}/{path}", headers=key(Role.VIEWER)).status_code == 403
