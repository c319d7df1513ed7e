"""Bad input of every kind ends with exit code 2 and one sentence that names file, key and remedy; never a traceback."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration


def run(*arguments: str, timeout: float = 40) -> subprocess.CompletedProcess[str]:
    """Run a command of ours as a user would."""
    return subprocess.run(
        [sys.executable, "-m", *arguments], capture_output=True, text=True, timeout=timeout, check=False
    )


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Assert the one way in which bad input is refused."""
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr + done.stdout
    for word in words:
        assert word in done.stderr, done.stderr


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A settings file of a server whose register exists and is up to date."""
    return write_config(tmp_path)


def write_config(folder: Path, **extra: str) -> Path:
    """Write a settings file; `extra` replaces or adds lines of a table."""
    tables = {
        "store": f'register_url = "sqlite:///{folder}/register.db"\nseries_path = "{folder}/series.db"',
        "broker": f'directory = "{folder}/broker"',
    } | extra
    path = folder / "phongmay.toml"
    path.write_text("\n".join(f"[{name}]\n{lines}" for name, lines in tables.items()), "utf-8")
    assert run("phongmay", "--config", str(path), "register", "migrate").returncode == 0
    return path


COMMANDS = (("api", "run"), ("collector", "run"), ("rules", "run"), ("broker", "run"), ("register", "migrate"))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_unknown_key_is_named_with_its_file(command: Sequence[str], tmp_path: Path) -> None:
    """A misspelt key must never be silently ignored."""
    path = tmp_path / "phongmay.toml"
    path.write_text("[api]\nprot = 8080\n", "utf-8")
    refused(run("phongmay", "--config", str(path), *command), str(path), "api.prot", "'port'")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_missing_settings_file_is_named(command: Sequence[str], tmp_path: Path) -> None:
    """A person learns which file was looked for."""
    path = tmp_path / "nowhere.toml"
    refused(run("phongmay", "--config", str(path), *command), str(path), "no such file")


@pytest.mark.parametrize("command", [("api", "run"), ("broker", "run"), ("broker", "run", "--embedded")], ids=" ".join)
def test_a_port_in_use_is_named_with_its_key(command: Sequence[str], tmp_path: Path) -> None:
    """Two servers on one port: the second says which key to change."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        path = write_config(tmp_path, api=f"port = {port}", broker=f'port = {port}\ndirectory = "{tmp_path}/broker"')
        refused(run("phongmay", "--config", str(path), *command), str(port), f"{command[0]}.port")


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The series file cannot be made there, also not by root."""
    path = write_config(
        tmp_path,
        store=f'register_url = "sqlite:///{tmp_path}/register.db"\nseries_path = "/proc/phongmay/series.db"',
    )
    refused(run("phongmay", "--config", str(path), "collector", "run"), "/proc/phongmay", "series_path")


def test_a_register_that_was_never_made_is_told_how_to_be_made(tmp_path: Path) -> None:
    """An empty register is not an empty district."""
    path = tmp_path / "phongmay.toml"
    path.write_text(f'[store]\nregister_url = "sqlite:///{tmp_path}/register.db"\n', "utf-8")
    refused(run("phongmay", "--config", str(path), "api", "run"), "phongmay register migrate")


def test_a_broken_rule_pack_is_named_with_file_and_key(config: Path, tmp_path: Path) -> None:
    """The engine must not start with rules that it does not understand."""
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "standard.toml").write_text('tile = "misspelt"\n', "utf-8")
    config.write_text(config.read_text("utf-8") + f'\n[rules]\npacks = ["{pack}"]\n', "utf-8")
    refused(run("phongmay", "--config", str(config), "rules", "run", "--once"), "standard.toml", "tile")


def test_a_broken_import_file_names_line_and_column(config: Path, tmp_path: Path) -> None:
    """Nothing is imported of a file with an error, and the error can be found."""
    units = tmp_path / "units.csv"
    units.write_text("external_id,kind,name,level,parent\nmau:1,castle,Lâu đài,,\n", "utf-8")
    done = run("phongmay", "--config", str(config), "register", "import", str(units))
    refused(done, "units.csv", "2", "kind", "castle")


@pytest.mark.parametrize("verb", ["run", "test", "check-config"])
def test_the_agent_refuses_an_unknown_key(verb: str, tmp_path: Path) -> None:
    """The agent keeps to the same law as the server."""
    path = tmp_path / "agent.toml"
    path.write_text("intervall_s = 5\n", "utf-8")
    refused(run("phongmay_agent", "--config", str(path), verb), str(path), "intervall_s", "interval_s")


def test_an_agent_without_identity_is_told_to_enrol(tmp_path: Path) -> None:
    """A PC that was never enrolled must not run silently into nothing."""
    path = tmp_path / "agent.toml"
    path.write_text(f'identity_file = "{tmp_path}/id.json"\nspool_file = "{tmp_path}/spool.db"\n', "utf-8")
    refused(run("phongmay_agent", "--config", str(path), "run"), "id.json", "enrol")


def test_a_spool_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """An agent that could lose measurements must say so at the start."""
    (tmp_path / "id.json").write_text(
        '{"device_id": "pc-aaaaaaaaaa", "secret": "' + "0" * 64 + '", "broker": {"host": "127.0.0.1", "port": 1}}',
        "utf-8",
    )
    (tmp_path / "id.json").chmod(0o600)
    path = tmp_path / "agent.toml"
    path.write_text(f'identity_file = "{tmp_path}/id.json"\nspool_file = "/proc/phongmay/spool.db"\n', "utf-8")
    refused(run("phongmay_agent", "--config", str(path), "run"), "/proc/phongmay", "spool_file")
