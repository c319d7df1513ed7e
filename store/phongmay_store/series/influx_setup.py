"""Sets up what an InfluxDB needs before the first point, by the ways of its version, and says what was done.

In: settings. Out: two databases (1.x, 3) or buckets with their mapping for InfluxQL (2.x); the one for rounds drops
them itself. What is there already is kept, its time of keeping set anew. Tried on InfluxDB 1.6; the ways of 2.x and 3
follow their documentation and are tried on no server here. What the server refuses is a StoreError.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import msgspec

from phongmay_store.errors import StoreError
from phongmay_store.series.influx_server import InfluxServer
from phongmay_store.series.influx_words import name
from phongmay_store.series.state import DAY_S
from phongmay_store.settings import StoreSettings

MARGIN_DAYS = 2
"""The server keeps rounds for longer than we ask for them: it never drops what housekeeping still needs."""
_POLICY = "rounds"


def set_up(settings: StoreSettings) -> list[str]:
    """Make databases and times of keeping; gives a sentence on each.

    Raises:
        StoreError: the server does not answer or refuses.
    """
    server = InfluxServer(settings.influx)
    days = settings.raw_days + MARGIN_DAYS
    wanted = ((f"{settings.influx.database}_raw", days), (settings.influx.database, 0))
    try:
        server.require_version()
        way = {"1": _database_1, "2": _bucket_2, "3": _database_3}[settings.influx.version]
        return [way(server, database, kept) for database, kept in wanted]
    finally:
        server.close()


def check(settings: StoreSettings) -> list[str]:
    """Ask both databases a question; gives a sentence on each.

    Raises:
        StoreError: the server does not answer, refuses us, or has no such database.
    """
    server = InfluxServer(settings.influx)
    try:
        server.require_version()
        told = []
        for database in (settings.influx.database, f"{settings.influx.database}_raw"):
            server.query(database, 'SELECT "ok" FROM "reach" LIMIT 1')  # tells an unknown database; SHOW does not
            found = server.query(database, "SHOW MEASUREMENTS")
            count = sum(len(series.values) for series in found)
            told.append(f"database {database}: answers, {count} measurements")
        return told
    finally:
        server.close()


def _kept(days: int) -> str:
    return f"kept for {days} days" if days else "kept for ever"


def _database_1(server: InfluxServer, database: str, days: int) -> str:
    there = {row[0] for series in server.query("", "SHOW DATABASES") for row in series.values}
    if database not in there:
        with_policy = f" WITH DURATION {days}d SHARD DURATION 1d NAME {name(_POLICY)}" if days else ""
        server.query("", f"CREATE DATABASE {name(database)}{with_policy}", change=True)
        return f"database {database}: made, {_kept(days)}"
    if days:
        policies = {row[0] for series in server.query(database, "SHOW RETENTION POLICIES") for row in series.values}
        verb = "ALTER" if _POLICY in policies else "CREATE"
        replication = "" if _POLICY in policies else " REPLICATION 1"
        server.query(
            database,
            f"{verb} RETENTION POLICY {name(_POLICY)} ON {name(database)} DURATION {days}d{replication} "
            "SHARD DURATION 1d DEFAULT",
            change=True,
        )
    return f"database {database}: was there, {_kept(days)}"


def _bucket_2(server: InfluxServer, database: str, days: int) -> str:
    org = _one(server, "/api/v2/orgs", {"org": server.settings.org}, "orgs")
    if org is None:
        raise StoreError(f"InfluxDB {server.url} has no organisation {server.settings.org!r}: set store.influx.org")
    rules = [{"type": "expire", "everySeconds": days * DAY_S, "shardGroupDurationSeconds": DAY_S}] if days else []
    bucket = _one(server, "/api/v2/buckets", {"orgID": org["id"], "name": database}, "buckets")
    was = bucket is not None
    if bucket is None:
        body = {"orgID": org["id"], "name": database, "retentionRules": rules}
        bucket = _json(server, "POST", "/api/v2/buckets", body)
    else:
        _json(server, "PATCH", f"/api/v2/buckets/{bucket['id']}", {"retentionRules": rules})
    mapping = {"orgID": org["id"], "db": database}
    if _one(server, "/api/v2/dbrps", mapping, "content") is None:
        mapped = {"orgID": org["id"], "bucketID": bucket["id"], "database": database, "retention_policy": "autogen"}
        _json(server, "POST", "/api/v2/dbrps", {**mapped, "default": True})
    return f"bucket {database}: {'was there' if was else 'made'}, {_kept(days)}, mapped for InfluxQL"


def _database_3(server: InfluxServer, database: str, days: int) -> str:
    body: dict[str, Any] = {"db": database}
    if days:
        body["retention_period"] = f"{days}d"
    answer = server.request("POST", "/api/v3/configure/database", msgspec.json.encode(body), "application/json")
    if answer.status == 409:
        return f"database {database}: was there; its time of keeping was not changed"
    if answer.status not in (200, 201, 204):
        server.complain(answer.status, answer.data, database)
    return f"database {database}: made, {_kept(days)}"


def _one(server: InfluxServer, path: str, asked: dict[str, str], key: str) -> dict[str, Any] | None:
    answer = server.request("GET", f"{path}?{urlencode(asked)}")
    told = _object(answer.data)
    if answer.status == 404 and told:
        return None
    if answer.status != 200:
        server.complain(answer.status, answer.data, "")
    found = told.get(key) or []
    return found[0] if found else None


def _json(server: InfluxServer, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = server.request(method, path, msgspec.json.encode(body), "application/json")
    if answer.status not in (200, 201):
        server.complain(answer.status, answer.data, "")
    return _object(answer.data)


def _object(data: bytes) -> dict[str, Any]:
    """Read a JSON object; an empty one for anything else (a proxy's page, another server)."""
    try:
        told = msgspec.json.decode(data)
    except msgspec.DecodeError:
        return {}
    return told if isinstance(told, dict) else {}
