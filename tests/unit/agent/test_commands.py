"""The command `phongmay-agent` as a person calls it: what it prints, and exit code 2 for what to mend."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import psutil
import pytest

from phongmay_agent import __version__
from phongmay_agent.main import main
from phongmay_agent.settings import AgentSettings, load
from phongmay_contract.catalogue import MEASUREMENTS
from phongmay_contract.settings import sample

ROOT = Path(__file__).parents[3]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings that ask no target."""
    path = tmp_path / "agent.toml"
    path.write_text(
        f'identity_file = "{tmp_path}/id.json"\nspool_file = "{tmp_path}/spool.db"\n'
        '[reach]\ngateway = "tcp://127.0.0.1:1"\ndns = "off"\n'
    )
    return path


def test_the_version_is_that_of_the_distribution() -> None:
    """It travels in every envelope, so it must not be forgotten at a release."""
    assert tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"] == __version__


def test_the_sample_file_is_what_the_agent_prints_and_loads(capsys: pytest.CaptureFixture[str]) -> None:
    """One declaration, three places: code, printed sample, file in the repository."""
    assert main(["sample-config"]) == 0
    printed = capsys.readouterr().out
    assert printed == sample(AgentSettings) == (ROOT / "agent" / "agent.sample.toml").read_text("utf-8")
    assert load(ROOT / "agent" / "agent.sample.toml") == AgentSettings()


def test_test_measures_once_and_sends_nothing(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without identity, without broker, without leaving a spool behind; this machine's memory is in what it prints."""
    assert main(["--config", str(config), "test"]) == 0
    out = capsys.readouterr().out
    assert f"memory_bytes             {psutil.virtual_memory().total} B" in out
    assert re.search(r"cpu_busy_ratio +[01]\.\d+ ratio", out)
    assert "reach [gateway]" in out
    assert "reach [dns]" not in out
    assert "probe [state]" in out
    assert sorted(path.name for path in config.parent.iterdir()) == ["agent.toml"]


def test_show_tells_all_that_is_ever_sent(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every quantity of every measurement that a probe gives, with its sentence, also where there is no value now."""
    assert main(["--config", str(config), "show"]) == 0
    out = capsys.readouterr().out
    for name in ("hardware", "disk", "usage", "link", "traffic", "reach", "agent", "probe", "event"):
        for quantity in MEASUREMENTS[name].quantities:
            assert f"    {quantity.name} [" in out
            assert quantity.about in out
    assert f"now {psutil.virtual_memory().total} B" in out


def test_check_config_says_what_the_settings_mean(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Derived targets are shown before anything runs."""
    assert main(["--config", str(config), "check-config"]) == 0
    out = capsys.readouterr().out
    assert "every 60 s" in out
    assert "gateway: tcp 127.0.0.1:1" in out
    assert "none yet" in out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("intervall_s = 5", "'intervall_s'; did you mean 'interval_s'"),
        ("interval_s = 0", "'interval_s' must be at least 1"),
        ('probes = ["hardwear"]', "'probes' names 'hardwear'"),
        ('[reach]\ninternet = "example.org"', "'reach.internet' is 'example.org'"),
        ('log_level = "loud"', "'log_level' must be one of"),
    ],
)
@pytest.mark.parametrize("verb", ["run", "test", "show", "check-config"])
def test_wrong_settings_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str, text: str, said: str
) -> None:
    """Whatever the verb."""
    path = tmp_path / "agent.toml"
    path.write_text(text)
    assert main(["--config", str(path), verb]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"phongmay-agent: {path}: ")
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("verb", ["run", "test", "show", "check-config"])
def test_a_missing_settings_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str) -> None:
    """The file that was looked for."""
    assert main(["--config", str(tmp_path / "none.toml"), verb]) == 2
    assert f"{tmp_path}/none.toml: no such file" in capsys.readouterr().err


def test_running_without_identity_says_enrol(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And no spool is made for nobody."""
    assert main(["--config", str(config), "run"]) == 2
    assert "phongmay-agent enrol" in capsys.readouterr().err
    assert not (config.parent / "spool.db").exists()


def test_enrolling_at_no_server_says_so(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong address is the most common mistake of the day."""
    assert main(["--config", str(config), "enrol", "--server", "http://127.0.0.1:1", "--token", "pm-x"]) == 2
    err = capsys.readouterr().err
    assert "http://127.0.0.1:1" in err
    assert "check --server" in err
    assert "pm-x" not in err
