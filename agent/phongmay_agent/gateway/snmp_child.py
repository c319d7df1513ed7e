"""Asks a router by SNMP: `python -m phongmay_agent.gateway.snmp_child`, spoken to by lines of JSON.

First line in: {"host", "port", "interfaces", "timeout_s"} and either {"community"} (SNMP 2c) or {"user",
"auth_protocol", "auth_key", "privacy_protocol", "privacy_key"} (SNMP 3; a key of "" = that protection is not used).
Then each line "ask" gets one line: a list with an object for each interface (the quantities of `router` that the router
tells), or {"error": text}. Ends with its input. A process of its own, since the library (pysnmp, extra `gateway`) is no
part of the agent on a PC; it has no rights beyond its parent's and holds secrets in memory only.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

_UPTIME = "1.3.6.1.2.1.1.3.0"
_NAMES = ("1.3.6.1.2.1.31.1.1.1.1", "1.3.6.1.2.1.2.2.1.2", "1.3.6.1.2.1.31.1.1.1.18")
"""ifName, ifDescr, ifAlias."""
_STATUS, _HIGH_SPEED = "1.3.6.1.2.1.2.2.1.8", "1.3.6.1.2.1.31.1.1.1.15"
_IN, _OUT, _DISCONTINUITY = "1.3.6.1.2.1.31.1.1.1.6", "1.3.6.1.2.1.31.1.1.1.10", "1.3.6.1.2.1.31.1.1.1.19"
_UP = 1
_MBIT = 1_000_000
_TICKS_A_SECOND = 100
_MOST_INTERFACES = 500
_AUTH = {
    "md5": "USM_AUTH_HMAC96_MD5", "sha": "USM_AUTH_HMAC96_SHA", "sha224": "USM_AUTH_HMAC128_SHA224",
    "sha256": "USM_AUTH_HMAC192_SHA256", "sha384": "USM_AUTH_HMAC256_SHA384", "sha512": "USM_AUTH_HMAC384_SHA512",
}  # fmt: skip
_PRIVACY = {
    "des": "USM_PRIV_CBC56_DES", "aes": "USM_PRIV_CFB128_AES", "aes192": "USM_PRIV_CFB192_AES",
    "aes256": "USM_PRIV_CFB256_AES",
}  # fmt: skip
_WRONG_CREDENTIALS = (
    "UnknownUserName", "UnknownSecurityName", "WrongDigest", "AuthenticationFailure", "AuthenticationError",
    "DecryptionError", "UnsupportedSecurityLevel", "UnsupportedSecLevel", "UnsupportedAuthProtocol",
    "UnsupportedPrivProtocol",
)  # fmt: skip
"""What the library calls a user, key or protocol that the router does not take."""


class SnmpError(Exception):
    """The router does not tell; the text is short and names no address."""


class _Gone(Exception):
    """The number of an interface is now that of another, or of none."""


class _Interface(NamedTuple):
    """An interface as it was found: its number, and the cell and text of the name by which it was (none for a number).

    The text is asked for again with the counters: routers give an interface another number when a PPPoE session begins
    anew, not only when they restart.
    """

    number: int
    cell: str = ""
    text: str = ""


class Router:
    """One router.

    Args:
        spec: the first line.
        snmp: the library `pysnmp.hlapi.v3arch.asyncio`.
    """

    def __init__(self, spec: Mapping[str, Any], snmp: Any) -> None:
        self._spec, self._snmp = spec, snmp
        self._engine = snmp.SnmpEngine()
        self._who = self._credentials()
        self._interfaces: list[_Interface] = []

    async def ask(self) -> list[dict[str, Any]]:
        """Give the present figures of each interface.

        Raises:
            SnmpError: no answer, no such interface, or none with 64-bit counters.
        """
        try:
            return await self._ask()
        except SnmpError:
            # The library keeps what it learnt of the router's SNMP 3 engine, and one that was replaced has another.
            self._engine.close_dispatcher()
            self._engine = self._snmp.SnmpEngine()
            raise

    async def _ask(self) -> list[dict[str, Any]]:
        if self._interfaces:
            try:
                return [await self._figures(one) for one in self._interfaces]
            except _Gone:
                self._interfaces = []
        found = await self._find(self._spec["interfaces"])
        try:
            figures = [await self._figures(one) for one in found]
        except _Gone:
            raise SnmpError("no_such_interface") from None
        self._interfaces = found
        return figures

    async def _figures(self, one: _Interface) -> dict[str, Any]:
        columns = (_STATUS, _HIGH_SPEED, _IN, _OUT, _DISCONTINUITY)
        cells = [_UPTIME, *(f"{column}.{one.number}" for column in columns)]
        *told, name = await self._get([*cells, one.cell or _UPTIME])
        uptime, status, speed, into, out, reset = (None if _is_missing(value) else int(value) for value in told)
        if (one.cell and _key(name) != one.text) or (status is None and into is None):
            raise _Gone
        if uptime is None:
            raise SnmpError("no_uptime")
        if into is None or out is None:
            raise SnmpError("no_64_bit_counters")
        found: dict[str, Any] = {
            "uptime_s": uptime / _TICKS_A_SECOND, "received_bytes": into, "sent_bytes": out
        }  # fmt: skip
        if status is not None:
            found["is_up"] = status == _UP
        if speed:
            found["speed_bps"] = speed * _MBIT
        if reset is not None:
            found["discontinuity_s"] = reset // _TICKS_A_SECOND
        return found

    async def _find(self, wanted: Sequence[str]) -> list[_Interface]:
        """Find interfaces by number, name, description or alias."""
        known: dict[str, _Interface] = {}
        for column in _NAMES:
            for index, text in await self._walk(column):
                known.setdefault(str(index), _Interface(index))
                if text:
                    known.setdefault(text, _Interface(index, f"{column}.{index}", text))
        if any(_key(name) not in known for name in wanted):
            raise SnmpError("no_such_interface")
        found = [known[_key(name)] for name in wanted]
        if len({one.number for one in found}) < len(found):  # its bytes would count twice
            raise SnmpError("one_interface_named_twice")
        return found

    async def _walk(self, column: str) -> list[tuple[int, str]]:
        s, out = self._snmp, []
        found = s.bulk_walk_cmd(
            self._engine, self._who, await self._target(), s.ContextData(), 0, 25,
            s.ObjectType(s.ObjectIdentity(column)), lexicographicMode=False, maxRows=_MOST_INTERFACES,
        )  # fmt: skip
        async for problem, status, _, rows in found:
            if problem:
                raise SnmpError(_word(problem))
            if status:
                break
            out += [(int(str(name).rpartition(".")[2]), _key(value)) for name, value in rows]
        return out

    async def _get(self, names: Sequence[str]) -> list[Any]:
        s = self._snmp
        problem, status, _, rows = await s.get_cmd(
            self._engine, self._who, await self._target(), s.ContextData(),
            *(s.ObjectType(s.ObjectIdentity(name)) for name in names),
        )  # fmt: skip
        if problem:
            raise SnmpError(_word(problem))
        if status:
            raise SnmpError("refused")
        return [value for _, value in rows]

    def _credentials(self) -> Any:
        s, spec = self._snmp, self._spec
        if "community" in spec:
            return s.CommunityData(spec["community"], mpModel=1)
        chosen: dict[str, Any] = {}
        if spec["auth_key"]:
            chosen |= {"authKey": spec["auth_key"], "authProtocol": getattr(s, _AUTH[spec["auth_protocol"]])}
        if spec["privacy_key"]:
            chosen |= {"privKey": spec["privacy_key"], "privProtocol": getattr(s, _PRIVACY[spec["privacy_protocol"]])}
        return s.UsmUserData(spec["user"], **chosen)

    async def _target(self) -> Any:
        kind = self._snmp.Udp6TransportTarget if ":" in self._spec["host"] else self._snmp.UdpTransportTarget
        where = (self._spec["host"], self._spec["port"])
        return await kind.create(where, timeout=self._spec["timeout_s"] / 2, retries=1)


def _is_missing(value: Any) -> bool:
    return type(value).__name__ in ("NoSuchObject", "NoSuchInstance", "EndOfMibView", "Null")


def _key(name: object) -> str:
    """Give a name as it is compared."""
    return str(name).strip().casefold()


def _word(problem: object) -> str:
    return "wrong_credentials" if type(problem).__name__ in _WRONG_CREDENTIALS else "no_answer"


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
