"""Nothing that a user meets is without its word in the documents."""

from __future__ import annotations

import argparse
import dataclasses
import re
import tomllib
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import phongmay_agent.settings
import phongmay_rules
from phongmay.main import build_parser as server_parser
from phongmay.metrics import METRICS, Metric
from phongmay.settings import ServerSettings
from phongmay_agent.main import build_parser as agent_parser
from phongmay_agent.probes import NAMES as PROBES
from phongmay_agent.settings import AgentSettings
from phongmay_api.access.permissions import ROUTES, Permission
from phongmay_contract.catalogue import MEASUREMENTS
from phongmay_contract.settings import SettingsError, read_settings, sample
from phongmay_store.register.access import Role

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def named(name: str, page: str) -> bool:
    """Tell whether a page of docs/ names something as code or in a heading."""
    text = (DOCS / page).read_text("utf-8")
    return re.search(rf"(`|^#+ .*\b){re.escape(name)}(?![\w-])", text, re.MULTILINE) is not None


def settings_fields(kind: type[Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Give every key of a settings class with its field."""
    types = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        yield prefix + field.name, field
        if dataclasses.is_dataclass(types[field.name]):
            yield from settings_fields(typing.cast(type[Any], types[field.name]), f"{prefix}{field.name}.")


def commands(parser: argparse.ArgumentParser, path: str) -> Iterator[tuple[str, argparse.Action, str]]:
    """Give every argument and verb of a command with its help."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, sub in action.choices.items():
                yield f"{path} {name}", action, helps.get(name, "")
                yield from commands(sub, f"{path} {name}")
        else:
            yield f"{path} {action.dest}", action, action.help or ""


@pytest.mark.parametrize("kind", [ServerSettings, AgentSettings])
def test_every_setting_says_what_it_is(kind: type[Any]) -> None:
    """Each key has one English sentence, and docs/settings.md names it."""
    found = dict(settings_fields(kind))
    assert found
    for key, field in found.items():
        about = field.metadata.get("about", "")
        assert about.endswith("."), f"setting {key}: {about!r} is not a sentence"
        if "low" in field.metadata:  # a setting, not a table of settings
            assert named(key, "settings.md"), f"docs/settings.md does not name {key}"


@pytest.mark.parametrize("build", [server_parser, agent_parser], ids=["phongmay", "phongmay-agent"])
def test_every_command_and_argument_says_what_it_does(build: Callable[[], argparse.ArgumentParser]) -> None:
    """No verb, option or argument without help; every verb has its heading in docs/commands.md."""
    parser = build()
    headings = {line.lstrip("# ").strip("`") for line in (DOCS / "commands.md").read_text("utf-8").splitlines()}
    assert parser.prog in headings
    for path, action, about in commands(parser, parser.prog):
        assert about, f"{path} has no help text"
        if isinstance(action, argparse._SubParsersAction):
            assert path in headings, f"docs/commands.md does not name '{path}'"


@pytest.mark.parametrize("probe", PROBES)
def test_every_probe_is_described(probe: str) -> None:
    """docs/agent.md says of each probe where its figures come from."""
    assert named(probe, "agent.md"), f"docs/agent.md does not name the probe '{probe}'"


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_every_figure_of_a_process_is_described(metric: Metric) -> None:
    """docs/metrics.md names each figure as Prometheus gets it, with its sentence; no process gives another one."""
    assert metric.about.endswith(".")
    assert named(metric.exposed, "metrics.md"), f"docs/metrics.md does not name {metric.exposed}"
    assert f"| {metric.about} |" in (DOCS / "metrics.md").read_text("utf-8")


@pytest.mark.parametrize("measurement", MEASUREMENTS)
def test_every_measurement_is_in_the_data_model(measurement: str) -> None:
    """docs/data-model.md names every measurement and each of its quantities."""
    assert named(measurement, "data-model.md")
    missing = [name for name in MEASUREMENTS[measurement].by_name if not named(name, "data-model.md")]
    assert missing == []


def rules() -> list[str]:
    """Give the ids of all rules of all packs that come with the program."""
    packs = Path(phongmay_rules.__file__).parent / "packs"
    return sorted(tomllib.loads(path.read_text("utf-8"))["id"] for path in packs.glob("*/rules/*.toml"))


def test_there_are_rules_to_document() -> None:
    """The next test would pass on an empty list; the first pack has twelve rules."""
    assert len(rules()) >= 12


@pytest.mark.parametrize("rule", rules())
def test_every_rule_is_described(rule: str) -> None:
    """docs/rules.md names each rule."""
    assert re.search(rf"(?<![\w-]){rule}(?![\w-])", (DOCS / "rules.md").read_text("utf-8")), rule


def plain(path: str) -> str:
    """Leave the names of parameters out of a path."""
    return re.sub(r"\{\w+\}", "{}", path)


@pytest.mark.parametrize("route", sorted(r for r in ROUTES if r[1].startswith("/api/v1/")), ids=" ".join)
def test_every_route_is_described(route: tuple[str, str]) -> None:
    """docs/api.md names each method and path, with or without /api/v1."""
    method, path = route
    short = plain(path.removeprefix("/api/v1"))
    text = plain((DOCS / "api.md").read_text("utf-8"))
    pattern = rf"{method}[\s`|]*(/api/v1)?{re.escape(short)}(?![\w/.{{-])"
    assert re.search(pattern, text), f"docs/api.md does not describe {method} {path}"


@pytest.mark.parametrize("word", [*(role.value for role in Role), *(permission.value for permission in Permission)])
def test_every_role_and_permission_is_described(word: str) -> None:
    """docs/access.md names each role and each permission."""
    assert named(word, "access.md"), f"docs/access.md does not name `{word}`"


@pytest.mark.parametrize("kind", [ServerSettings, AgentSettings])
def test_a_sample_file_with_every_key_uncommented_loads(tmp_path: Path, kind: type[Any]) -> None:
    """The sample says what the defaults are: with every '# key = value' put in force, the settings are the defaults."""
    text = re.sub(r"^# (?=\w+ = )", "", sample(kind), flags=re.MULTILINE)
    path = tmp_path / "all.toml"
    path.write_text(text, "utf-8")
    assert set(re.findall(r"^(\w+) = ", text, re.MULTILINE)) >= {
        key.split(".")[-1] for key, f in settings_fields(kind) if "low" in f.metadata
    }
    assert read_settings(kind, path) == kind()


def test_the_agents_sample_file_is_the_written_one_and_loads() -> None:
    """agent/agent.sample.toml is what `phongmay-agent sample-config` writes, and the agent reads it."""
    path = ROOT / "agent" / "agent.sample.toml"
    assert path.read_text("utf-8").strip() == sample(AgentSettings).strip()
    assert phongmay_agent.settings.load(path) == AgentSettings()


def test_a_misspelt_key_is_named(tmp_path: Path) -> None:
    """The promise of docs/settings.md: file, key and a guess."""
    path = tmp_path / "bad.toml"
    path.write_text("[api]\nprot = 1\n")
    with pytest.raises(SettingsError, match=r"bad\.toml: unknown key 'api\.prot'; did you mean 'port'"):
        read_settings(ServerSettings, path)
