"""The settings of a demo: all that its commands write lies in its own folder."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from phongmay.demo.preparation import settings_text
from phongmay.settings import load


def test_whoever_tries_the_demo_needs_no_folder_of_the_system(tmp_path: Path) -> None:
    """`phongmay --config .../phongmay.toml verdicts key` works in a demo: no path points to /var/lib or /etc."""
    file = tmp_path / "phongmay.toml"
    file.write_text(settings_text(tmp_path, 1883, 8080), "utf-8")
    settings = load(file)
    outside = [
        f"{table.name}.{key.name}"
        for table in dataclasses.fields(settings)
        if dataclasses.is_dataclass(group := getattr(settings, table.name))
        for key in dataclasses.fields(group)
        if isinstance(path := getattr(group, key.name), Path) and path.is_absolute() and tmp_path not in path.parents
    ]
    assert outside == []
