"""Settings of the rules engine: the table [rules] of phongmay.toml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from phongmay_contract.settings import setting


@dataclass(frozen=True)
class RulesSettings:
    """How often and by which packs schools are judged."""

    interval_s: float = setting(60, about="Seconds between evaluations.", low=1, high=86400)
    run_row_s: float = setting(
        600,
        about="Seconds after which a unit in which nothing changed gets a run row all the same; 0 = each evaluation.",
        low=0, high=86400,
    )  # fmt: skip
    watch_s: float = setting(
        5,
        about="Seconds between looks for new inventories, whose PCs are judged at once; 0 = only every interval_s.",
        low=0, high=3600,
    )  # fmt: skip
    recount_s: float = setting(
        21600,
        about="Seconds for which counts over 30 days hold at most: half to all of it, by school; 0 = no time.",
        low=0, high=86400,
    )  # fmt: skip
    packs: list[str] = setting(
        ["tanbinh-2023", "qd762-2021", "moet-rooms", "line-quality", "operations"],
        about="Rule packs in force, all judged from one snapshot: names of shipped packs or directories.",
    )
    optional: list[str] = setting(
        [], about="Rules that are switched off in their pack and judged all the same, e.g. TR-06b."
    )
    key_file: Path = setting(
        Path("/var/lib/phongmay/heads.key"),
        about="Key that signs heads of verdict chains; 'phongmay verdicts key' makes it, and its public half (.pub).",
    )
    heads_file: Path = setting(
        Path("/var/lib/phongmay/heads.jsonl"),
        about="Signed heads, one a line; keep copies of it where nobody who can write the register can write.",
    )
    heads_interval_s: float = setting(
        21600, about="Seconds after which 'phongmay rules run' signs the heads again.", low=60, high=604800
    )
    metrics_port: int = setting(
        9481, about="Port on 127.0.0.1 for /metrics, /health and /ready of the engine; 0 = none.", low=0, high=65535
    )
