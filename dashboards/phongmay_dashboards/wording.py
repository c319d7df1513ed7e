"""Texts in both languages. Grafana itself speaks no Vietnamese: a board is built once for each language."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Language(StrEnum):
    """A language of the boards."""

    VI = "vi"
    EN = "en"


@dataclass(frozen=True, slots=True)
class Words:
    """One text."""

    vi: str
    en: str

    def in_(self, language: Language) -> str:
        """Give the text in a language."""
        return self.vi if language is Language.VI else self.en


UNKNOWN = Words("? Chưa rõ: không có số liệu", "? Unknown: no data")
"""What a panel or cell says without data: never a colour that looks good."""
