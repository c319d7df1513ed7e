"""Asks a router by SNMP: `python -m phongmay_agent.gateway.snmp_child`, spoken to by lines of JSON.

First line in: {"host", "port", "community", "interfaces", "timeout_s"}. Then each line "ask" gets one line: a list
with an object for each interface (the quantities of `router` that the router tells), or {"error": text}. Ends with its
input. A process of its own, since the library (pysnmp, extra `gateway`) is no part of the agent on a PC; it has no
rights beyond its parent's and holds the community in memory only.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

_UPTIME = "1.3.6.1.2.1.1.3.0"
_NAMES = ("1.3.6.1.2.1.31.1.1.1.1", "1.3.6.1.2.1.2.2.1.2", "1.3.6.1.2.1.31.1.1.1.18")
"""ifName, ifDescr, ifAlias."""
_STATUS, _HIGH_SPEED = "1.3.6.1.2.1.2.2.1.8", "1.3.6.1.2.1.31.1.1.1.15"
_IN, _OUT, _DISCONTINUITY = "1.3.6.1.2.1.31.1.1.1.6", "1.3.6.1.2.1.31.1.1.1.10", "1.3.6.1.2.1.31.1.1.1.19"
_UP = 1
_MBIT = 1_000_000
_TICKS_A_SECOND = 100
_MOST_INTERFACES = 500


class SnmpError(Exception):
    """The router does not tell; the text is short and names no address."""


class Router:
    """One router, asked over SNMP 2c.

    Args:
        spec: the first line.
        snmp: the library `pysnmp.hlapi.v3arch.asyncio`.
    """

    def __init__(self, spec: Mapping[str, Any], snmp: Any) -> None:
        self._spec, self._snmp = spec, snmp
        self._engine = snmp.SnmpEngine()
        self._indices: list[int] = []
        self._uptime = 0

    async def ask(self) -> list[dict[str, Any]]:
        """Give the present figures of each interface.

        Raises:
            SnmpError: no answer, no such interface, or none with 64-bit counters.
        """
        uptime = _number((await self._get([_UPTIME]))[0], "uptime")
        if uptime < self._uptime or not self._indices:  # a router that restarted may number its interfaces anew
            self._indices = await self._find(self._spec["interfaces"])
        self._uptime = uptime
        return [await self._interface(index) for index in self._indices]

    async def _interface(self, index: int) -> dict[str, Any]:
        columns = (_UPTIME[:-2], _STATUS, _HIGH_SPEED, _IN, _OUT, _DISCONTINUITY)
        uptime, status, speed, into, out, reset = await self._get(
            [f"{column}.{0 if column == _UPTIME[:-2] else index}" for column in columns]
        )
        if into is None or out is None:
            raise SnmpError("no_64_bit_counters")
        found: dict[str, Any] = {
            "uptime_s": _number(uptime, "uptime") / _TICKS_A_SECOND, "is_up": status == _UP, "received_bytes": into,
            "sent_bytes": out,
        }  # fmt: skip
        if speed:
            found["speed_bps"] = speed * _MBIT
        if reset is not None:
            found["discontinuity_s"] = reset // _TICKS_A_SECOND
        return found

    async def _find(self, wanted: Sequence[str]) -> list[int]:
        """Give the indices of interfaces by number, name, description or alias."""
        known: dict[str, int] = {}
        for column in _NAMES:
            for index, text in await self._walk(column):
                known.setdefault(str(index), index)
                known.setdefault(text.strip().casefold(), index)
        missing = [name for name in wanted if name.strip().casefold() not in known]
        if missing:
            raise SnmpError("no_such_interface")
        return [known[name.strip().casefold()] for name in wanted]

    async def _walk(self, column: str) -> list[tuple[int, str]]:
        s, out = self._snmp, []
        found = s.bulk_walk_cmd(
            self._engine, self._community(), await self._target(), s.ContextData(), 0, 25,
            s.ObjectType(s.ObjectIdentity(column)), lexicographicMode=False, maxRows=_MOST_INTERFACES,
        )  # fmt: skip
        async for problem, status, _, rows in found:
            if problem:
                raise SnmpError("no_answer")
            if status:
                break
            out += [(int(str(name).rpartition(".")[2]), str(value)) for name, value in rows]
        return out

    async def _get(self, names: Sequence[str]) -> list[int | None]:
        s = self._snmp
        problem, status, _, rows = await s.get_cmd(
            self._engine, self._community(), await self._target(), s.ContextData(),
            *(s.ObjectType(s.ObjectIdentity(name)) for name in names),
        )  # fmt: skip
        if problem:
            raise SnmpError("no_answer")
        if status:
            raise SnmpError("refused")
        return [None if _is_missing(value) else int(value) for _, value in rows]

    def _community(self) -> Any:
        return self._snmp.CommunityData(self._spec["community"], mpModel=1)

    async def _target(self) -> Any:
        kind = self._snmp.Udp6TransportTarget if ":" in self._spec["host"] else self._snmp.UdpTransportTarget
        where = (self._spec["host"], self._spec["port"])
        return await kind.create(where, timeout=self._spec["timeout_s"] / 2, retries=1)


def _is_missing(value: Any) -> bool:
    return type(value).__name__ in ("NoSuchObject", "NoSuchInstance", "EndOfMibView", "Null")


def _number(value: int | None, what: str) -> int:
    if value is None:
        raise SnmpError(f"no_{what}")
    return value


async def _serve(spec: Mapping[str, Any], snmp: Any) -> None:
    router = Router(spec, snmp)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        try:
            answer: Any = await router.ask()
        except SnmpError as error:
            answer = {"error": str(error)}
        except Exception as error:  # noqa: BLE001 # whatever the library raises, the parent is told what and no more
            answer = {"error": type(error).__name__}
        print(json.dumps(answer), flush=True)


def main() -> None:
    """Read the first line, and serve."""
    spec = json.loads(sys.stdin.readline())
    try:
        from pysnmp.hlapi.v3arch import asyncio as snmp
    except ImportError:
        print(json.dumps({"error": "pysnmp_is_not_installed"}), flush=True)
        return
    asyncio.run(_serve(spec, snmp))


if __name__ == "__main__":
    main()
