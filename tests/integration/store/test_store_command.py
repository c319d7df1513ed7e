"""`phongmay store`: what an operator types, on both engines, and what it says when something is wrong."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from phongmay.main import main
from phongmay_store.series import open_reader, open_writer
from phongmay_store.settings import INFLUX, StoreSettings


def written(path: Path, settings: StoreSettings) -> str:
    """Write a settings file and give its path."""
    influx = settings.influx
    path.write_text(
        f"""[store]
register_url = "{settings.register_url}"
series_path = "{settings.series_path}"
series = "{settings.series}"
raw_days = {settings.raw_days}
[store.influx]
version = "{influx.version}"
url = "{influx.url}"
auth = "{influx.auth}"
database = "{influx.database}"
timeout_s = 5
""",
        "utf-8",
    )
    return str(path)


@pytest.fixture(params=["sqlite", "influx"])
def settings(request: pytest.FixtureRequest, tmp_path: Path, empty_register: bytes) -> StoreSettings:
    """Both engines, nothing made yet."""
    (tmp_path / "register.db").write_bytes(empty_register)
    url = f"sqlite:///{tmp_path / 'register.db'}"
    if request.param == "sqlite":
        return StoreSettings(register_url=url, series_path=tmp_path / "series.db")
    server: Any = request.getfixturevalue("influxd")
    plain = StoreSettings(register_url=url, series=INFLUX, series_path=tmp_path / "no.db")
    name = f"c{time.time_ns():x}"
    return replace(plain, influx=replace(plain.influx, version="1", url=server.url, database=name))


def test_init_makes_a_store_that_check_config_finds_good(
    settings: StoreSettings, tmp_path: Path, make: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two commands bring a fresh machine to a store that takes rounds; both may be run again and keep what is there."""
    config = written(tmp_path / "phongmay.toml", settings)
    assert main(["--config", config, "store", "init"]) == 0
    assert "made" in capsys.readouterr().out
    with closing(open_writer(settings)) as series:
        series.write([make.arrival(1, make.HOUR)])
    assert main(["--config", config, "store", "init"]) == 0
    assert "was there" in capsys.readouterr().out
    assert main(["--config", config, "store", "check-config"]) == 0
    assert "good; rounds are kept for 14 days" in capsys.readouterr().out
    with closing(open_reader(settings)) as reader:
        assert reader.envelope_count() == 1


def test_prune_does_all_that_is_due(
    settings: StoreSettings, tmp_path: Path, make: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    """By hand, or from cron where no collector runs: hours are rolled up; a second run finds nothing."""
    config = written(tmp_path / "phongmay.toml", settings)
    assert main(["--config", config, "store", "init"]) == 0
    with closing(open_writer(settings)) as series:
        series.write([make.arrival(1, make.HOUR, received=time.time() - 600)])
    capsys.readouterr()
    assert main(["--config", config, "store", "prune"]) == 0
    assert not capsys.readouterr().out.startswith("0 pieces")
    if settings.series == INFLUX:  # the first one holds the lease for some minutes yet
        return
    assert main(["--config", config, "store", "prune"]) == 0
    assert capsys.readouterr().out.startswith("0 pieces")


def test_a_store_that_is_not_set_up_is_named_with_the_remedy(
    settings: StoreSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """check-config changes nothing; what is missing is one sentence with the command that makes it."""
    config = written(tmp_path / "phongmay.toml", settings)
    code = main(["--config", config, "store", "check-config"])
    told = capsys.readouterr()
    assert "phongmay store init" in told.out + told.err
    assert code == (2 if settings.series == INFLUX else 0)
    assert not settings.series_path.exists()


def test_a_secret_that_others_can_read_is_told(
    tmp_path: Path, influxd: Any, empty_register: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file with the password should be mode 600; whoever forgot it learns it from check-config."""
    (tmp_path / "register.db").write_bytes(empty_register)
    secret = tmp_path / "secret"
    secret.write_text("user:password", "utf-8")
    secret.chmod(0o644)
    url = f"sqlite:///{tmp_path / 'register.db'}"
    plain = StoreSettings(register_url=url, series=INFLUX, series_path=tmp_path / "no.db")
    influx = replace(plain.influx, version="1", url=influxd.url, auth=str(secret), database=f"s{time.time_ns():x}")
    config = written(tmp_path / "phongmay.toml", replace(plain, influx=influx))
    assert main(["--config", config, "store", "init"]) == 0
    assert main(["--config", config, "store", "check-config"]) == 0
    assert f"chmod 600 {secret}" in capsys.readouterr().out


def test_a_server_that_is_away_is_one_sentence(
    tmp_path: Path, empty_register: bytes, free_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, the key, no traceback."""
    (tmp_path / "register.db").write_bytes(empty_register)
    url = f"sqlite:///{tmp_path / 'register.db'}"
    plain = StoreSettings(register_url=url, series=INFLUX, series_path=tmp_path / "no.db")
    influx = replace(plain.influx, version="1", url=f"http://127.0.0.1:{free_port}")
    config = written(tmp_path / "phongmay.toml", replace(plain, influx=influx))
    for command in ("init", "check-config"):
        assert main(["--config", config, "store", command]) == 2
        assert "store.influx.url" in capsys.readouterr().err
