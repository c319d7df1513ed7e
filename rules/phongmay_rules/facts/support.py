"""The table of support dates: a system's product line, release and full name go in, the end of its support comes out.

The table is the data file os_support.toml beside this module; a broken one raises PackError with file and entry.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from phongmay_rules.errors import PackError
from phongmay_store.shipped import ShippedTable

TABLE = Path(__file__).with_name("os_support.toml")


class Release(BaseModel):
    """One release of an operating system.

    Attributes:
        editions: words of the full name, one of which must be there (empty = any name).
        not_editions: words that must not be there.
        ends: last day of support.
        extended_ends: last day of the security updates that must be registered for; None = there are none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    os_id: str
    os_version: str
    editions: tuple[str, ...] = ()
    not_editions: tuple[str, ...] = ()
    ends: date
    source: str
    extended_ends: date | None = None
    extended_source: str = ""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    checked: date
    valid_until: date
    sources: Mapping[str, str]
    release: tuple[Release, ...] = Field(min_length=1)


@dataclass(frozen=True)
class SupportTable:
    """All releases, and until when the table itself may be trusted."""

    checked: date
    valid_until: date
    sources: Mapping[str, str]
    releases: Mapping[tuple[str, str], tuple[Release, ...]]

    @property
    def table(self) -> ShippedTable:
        """What there is to say about its age."""
        return ShippedTable(
            "operating-system support", TABLE.name, self.checked, self.valid_until,
            "support of operating systems is unknown; install a newer version of the program",
        )  # fmt: skip

    def find(self, os_id: str, os_version: str, os_name: str) -> Release | None:
        """Give the release; entries that name editions go first. None = not in the table."""
        name = os_name.casefold()
        for release in self.releases.get((os_id.casefold(), os_version.casefold()), ()):
            excluded = any(word.casefold() in name for word in release.not_editions)
            wanted = not release.editions or any(word.casefold() in name for word in release.editions)
            if wanted and not excluded:
                return release
        return None


def read_table(path: Path = TABLE) -> SupportTable:
    """Read a table of support dates.

    Raises:
        PackError: the file is missing, no TOML, or an entry is wrong.
    """
    try:
        content = _File.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise PackError(f"{path}: cannot be read ({error})") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(piece) for piece in first["loc"])
        raise PackError(f"{path}: key '{where}': {first['msg']}") from error
    releases: dict[tuple[str, str], list[Release]] = {}
    for release in content.release:
        named = [release.source, *([release.extended_source] if release.extended_ends else [])]
        if unknown := [source for source in named if source not in content.sources]:
            raise PackError(f"{path}: {release.os_id} {release.os_version}: unknown source '{unknown[0]}'")
        if release.extended_ends is not None and release.extended_ends <= release.ends:
            raise PackError(f"{path}: {release.os_id} {release.os_version}: extended_ends is not after ends")
        releases.setdefault((release.os_id.casefold(), release.os_version.casefold()), []).append(release)
    for entries in releases.values():
        entries.sort(key=lambda release: not release.editions)
    return SupportTable(
        content.checked,
        content.valid_until,
        content.sources,
        {key: tuple(entries) for key, entries in releases.items()},
    )


@lru_cache(maxsize=1)
def shipped_table() -> SupportTable:
    """Give the table that came with the program."""
    return read_table()
