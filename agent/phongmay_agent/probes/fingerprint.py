"""One salted hash over several hardware ids: raw ids go in, 64 hexadecimal digits come out, and no id leaves the PC.

Junk that many machines share is left out; "" comes out where nothing is left. The salt is the same everywhere, since
the register has to recognise a machine that lost its state; it only keeps the hash from matching other systems' hashes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

_SALT = b"phongmay fingerprint v1"
_JUNK_WORDS = frozenset(
    (
        "none", "unknown", "null", "na", "notapplicable", "notavailable", "notspecified", "notset", "invalid",
        "empty", "default", "defaultstring", "string", "tobefilledbyoem", "tobefilled", "oem", "oemstring",
        "systemserialnumber", "systemproductname", "systemmanufacturer", "systemversion", "baseboardserialnumber",
        "boardserialnumber", "chassisserialnumber", "serialnumber", "serial", "productname", "sku", "system",
        "manufacturer", "uuid",
    )
)  # fmt: skip
_JUNK_IDS = frozenset(
    (
        "03000200040005000006000700080009",  # one board maker's example value, found at 689 schools
        "00020003000400050006000700080009",  # the same in the other byte order
        "0123456789", "123456789", "1234567890", "12345678", "0123456789abcdef", "00010203040506070809aabbccddeeff",
    )
)  # fmt: skip


def plain(text: str) -> str:
    """Give letters and digits in lower case; so "ABC-1" and "abc:1" are one id."""
    return re.sub(r"[^0-9a-z]", "", text.lower())


def is_placeholder(text: str) -> bool:
    """Tell whether a name out of the firmware names nothing ("To be filled by O.E.M.", "Default string" ...)."""
    key = plain(text)
    return key == "" or key in _JUNK_WORDS or set(key) in ({"0"}, {"x"})


def is_junk_id(text: str) -> bool:
    """Tell whether an id cannot be one machine's own: a placeholder, too short, or one character repeated."""
    key = plain(text)
    return is_placeholder(text) or len(key) < 3 or len(set(key)) == 1 or key in _JUNK_IDS


def is_junk_mac(mac: str) -> bool:
    """Tell whether an address is no MAC address of a machine: malformed, zero, broadcast or multicast."""
    key = plain(mac)
    return re.fullmatch(r"[0-9a-f]{12}", key) is None or len(set(key)) == 1 or bool(int(key[:2], 16) & 1)


def is_random_mac(mac: str) -> bool:
    """Tell whether a MAC address is locally administered, as the changing ones of Wi-Fi privacy are."""
    return is_junk_mac(mac) or bool(int(plain(mac)[:2], 16) & 2)


def fingerprint(ids: Iterable[tuple[str, str]]) -> str:
    """Hash pairs of (kind, id), whatever their order.

    Args:
        ids: kinds are board, machine, disk and mac.

    Returns:
        64 hexadecimal digits, or "" when every id is junk.
    """
    good = sorted(
        {
            f"{kind}={plain(text)}"
            for kind, text in ids
            if not (is_junk_mac(text) if kind == "mac" else is_junk_id(text))
        }
    )
    return hashlib.sha256(_SALT + b"\n" + "\n".join(good).encode()).hexdigest() if good else ""
