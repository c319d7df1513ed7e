"""How every program of the house reads its TOML file: into a frozen dataclass whose fields declare their own rules.

An unknown key, a wrong type, a value out of bounds, a missing file: SettingsError, one sentence naming file, key and
what is expected. The sample file that documents the settings is written from the same declarations.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from phongmay_contract.errors import OperatorError

T = TypeVar("T")
_REQUIRED: Any = dataclasses.MISSING


class SettingsError(OperatorError):
    """A settings file that cannot be used."""


def setting(
    default: Any = _REQUIRED,
    *,
    about: str,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """Declare a setting as a dataclass field.

    Args:
        default: value when the key is absent; without one the key must be given.
        about: one English sentence for the sample file and the docs.
        low: least allowed number.
        high: greatest allowed number.
        choices: allowed words.
    """
    metadata = {"about": about, "low": low, "high": high, "choices": choices}
    if isinstance(default, list):
        return dataclasses.field(default_factory=lambda: list(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def section(kind: type[Any], *, about: str) -> Any:
    """Declare a table of settings inside a settings dataclass; all its keys have defaults."""
    return dataclasses.field(default_factory=kind, metadata={"about": about})


def read_settings(kind: type[T], path: Path) -> T:
    """Read a settings file.

    Raises:
        SettingsError: the file is missing, unreadable, not TOML, or a key in it is wrong.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise SettingsError(f"{path}: no such file; give an existing one with --config, or write one first") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read ({error})") from error
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: is not TOML: {error}") from error
    return from_table(kind, table, str(path))


def from_table(kind: type[T], table: Mapping[str, Any], origin: str, prefix: str = "") -> T:
    """Turn a parsed table into the dataclass; `origin` and `prefix` only serve the error's sentence.

    Raises:
        SettingsError: names origin and dotted key.
    """
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type] # T is a dataclass
    types = typing.get_type_hints(kind)
    for key in table:
        if key not in fields:
            close = difflib.get_close_matches(key, fields, n=1)
            hint = f"; did you mean '{close[0]}'?" if close else f"; known here: {', '.join(sorted(fields))}"
            raise SettingsError(f"{origin}: unknown key '{prefix}{key}'{hint}")
    values: dict[str, Any] = {}
    for name, field in fields.items():
        where = f"'{prefix}{name}'"
        if name in table:
            values[name] = _value(types[name], table[name], field.metadata, origin, where, f"{prefix}{name}.")
        elif field.default is _REQUIRED and field.default_factory is _REQUIRED:
            raise SettingsError(f"{origin}: key {where} is missing: {field.metadata.get('about', 'it is required')}")
    return kind(**values)


def _value(kind: Any, value: Any, rules: Mapping[str, Any], origin: str, where: str, prefix: str) -> Any:
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, dict):
            raise SettingsError(f"{origin}: {where} must be a table")
        return from_table(typing.cast(type[Any], kind), value, origin, prefix)
    if typing.get_origin(kind) is list:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise SettingsError(f"{origin}: {where} must be a list of texts, not {value!r}")
        return value
    accepted: dict[Any, tuple[type, ...]] = {
        str: (str,), Path: (str,), int: (int,), float: (int, float), bool: (bool,),
    }  # fmt: skip
    words = {str: "a text", Path: "a path (text)", int: "a whole number", float: "a number", bool: "true or false"}
    if not isinstance(value, accepted[kind]) or (isinstance(value, bool) and kind is not bool):
        raise SettingsError(f"{origin}: {where} must be {words[kind]}, not {value!r}")
    if rules.get("choices") and value not in rules["choices"]:
        raise SettingsError(f"{origin}: {where} must be one of {', '.join(rules['choices'])}, not {value!r}")
    low, high = rules.get("low"), rules.get("high")
    if (low is not None and value < low) or (high is not None and value > high):
        bounds = " and ".join(
            text for text in (low is not None and f"at least {low}", high is not None and f"at most {high}") if text
        )
        raise SettingsError(f"{origin}: {where} must be {bounds}, not {value!r}")
    return kind(value) if kind in (Path, float) else value


def sample(kind: type[Any], prefix: str = "") -> str:
    """Write the sample file: `##` a sentence on every key, `#` its default; required keys stand uncommented."""
    lines: list[str] = []
    tables: list[str] = []
    types = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        about = field.metadata.get("about", "")
        if dataclasses.is_dataclass(types[field.name]):
            inner = sample(typing.cast(type[Any], types[field.name]), f"{prefix}{field.name}.")
            tables.append(f"## {about}\n[{prefix}{field.name}]\n{inner}")
            continue
        bounds = [f"one of {', '.join(field.metadata['choices'])}"] if field.metadata.get("choices") else []
        bounds += [f"{word} {field.metadata[key]}" for key, word in (("low", "at least"), ("high", "at most"))
                   if field.metadata.get(key) is not None]  # fmt: skip
        lines.append(f"## {about}" + (f" ({'; '.join(bounds)})" if bounds else ""))
        default: Any = field.default
        required = default is _REQUIRED and field.default_factory is _REQUIRED
        if required:
            default = ""
        elif field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        lines.append(f"{'' if required else '# '}{field.name} = {_toml(default)}")
    return "\n".join(lines) + ("\n\n" if tables else "\n") + "\n".join(tables)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
