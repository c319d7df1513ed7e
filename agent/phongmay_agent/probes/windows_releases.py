"""Which release a Windows build number is: what decides the support date. An unknown build gives None, never a guess.

Build numbers after Microsoft's "Windows release health" and "Windows Server release information".
"""

from __future__ import annotations

_CLIENT = {
    7600: "7", 7601: "7", 9200: "8", 9600: "8.1",
    10240: "10-1507", 10586: "10-1511", 14393: "10-1607", 15063: "10-1703", 16299: "10-1709", 17134: "10-1803",
    17763: "10-1809", 18362: "10-1903", 18363: "10-1909", 19041: "10-2004", 19042: "10-20H2", 19043: "10-21H1",
    19044: "10-21H2", 19045: "10-22H2",
    22000: "11-21H2", 22621: "11-22H2", 22631: "11-23H2", 26100: "11-24H2", 26200: "11-25H2",
}  # fmt: skip
_SERVER = {
    7600: "2008R2", 7601: "2008R2", 9200: "2012", 9600: "2012R2", 14393: "2016", 17763: "2019", 20348: "2022",
    25398: "23H2", 26100: "2025",
}  # fmt: skip
_LTSC_SKUS = frozenset({125, 126, 129, 130, 191})
"""OperatingSystemSKU of Enterprise S, its N and evaluation editions, and IoT Enterprise S: supported much longer."""


def release_of(build: int | None, sku: int | None, *, server: bool) -> str | None:
    """Give the release: "10-22H2", "11-24H2", "10-1809-ltsc", "2019" ..."""
    if build is None:
        return None
    release = (_SERVER if server else _CLIENT).get(build)
    return f"{release}-ltsc" if release and not server and sku in _LTSC_SKUS else release
