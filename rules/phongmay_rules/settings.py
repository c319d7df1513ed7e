"""Settings of the rules engine: the table [rules] of phongmay.toml."""

from __future__ import annotations

from dataclasses import dataclass

from phongmay_contract.settings import setting


@dataclass(frozen=True)
class RulesSettings:
    """How often and by which pack schools are judged."""

    interval_s: float = setting(60, about="Seconds between evaluations.", low=1, high=86400)
    pack: str = setting("tanbinh-2023", about="Rule pack in force: the name of a shipped pack or a directory.")
