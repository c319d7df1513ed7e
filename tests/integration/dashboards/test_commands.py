"""`phongmay dashboards` where something is missing: one sentence each, and a feed that outlives its server."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phongmay.feeding_loop import FeedingLoop
from phongmay.settings import ServerSettings, load
from phongmay_store.register.engine import migrate, open_register
from phongmay_store.series.influx_setup import set_up

pytestmark = [pytest.mark.integration]


def run(config: Path, *words: str) -> tuple[int, str]:
    """Run the command; gives exit code and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "phongmay", "--config", str(config), "dashboards", *words],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def fresh(tmp_path: Path, influxd_program: str, time_servers: Any) -> Iterator[tuple[Path, ServerSettings, Any]]:
    """A settings file, an empty register and an InfluxDB of its own with the databases made."""
    with time_servers.influxd(influxd_program, tmp_path / "influxd") as server:
        config = tmp_path / "phongmay.toml"
        config.write_text(
            f'[store]\nregister_url = "sqlite:///{tmp_path}/register.db"\nseries = "influx"\n'
            f'[store.influx]\nversion = "1"\nurl = "{server.url}"\ntimeout_s = 2\n',
            "utf-8",
        )
        settings = load(config)
        engine = open_register(settings.store.register_url)
        migrate(engine)
        engine.dispose()
        set_up(settings.store)
        yield config, settings, server


@pytest.mark.parametrize("verb", [("build", "--to", "x"), ("feed", "--once"), ("check",)])
def test_without_an_influxdb_there_are_no_boards(tmp_path: Path, verb: tuple[str, ...]) -> None:
    """On SQLite the sentence names the key and says where the same is shown."""
    config = tmp_path / "phongmay.toml"
    config.write_text(f'[store]\nregister_url = "sqlite:///{tmp_path}/register.db"\n', "utf-8")
    code, said = run(config, *verb)
    assert code == 2
    assert "store.series" in said
    assert "Traceback" not in said


def test_before_the_first_feed_the_check_says_what_to_do(fresh: tuple[Path, ServerSettings, Any]) -> None:
    """There is nothing to choose yet: the sentence names the command that must run."""
    code, said = run(fresh[0], "check")
    assert code == 2
    assert "phongmay dashboards feed" in said
    assert "Traceback" not in said


def test_a_feed_outlives_its_server(fresh: tuple[Path, ServerSettings, Any], wait_until: Callable[..., Any]) -> None:
    """InfluxDB killed and back: the loop says that it is away, turns on, and feeds again."""
    _, settings, server = fresh
    stop = threading.Event()
    loop = FeedingLoop(replace(settings, dashboards=replace(settings.dashboards, interval_s=0.2)), stop)
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        wait_until(lambda: loop.report().figures[0].value, "the first feed")
        server.process.kill()
        server.process.wait()
        wait_until(lambda: loop.report().troubles, "the loop knows that the store is away")
        assert loop.report().troubles[0].code == "stores_away"
        assert loop.report().turns
        before = loop.report().figures[0].value
        server.restart()
        wait_until(lambda: not loop.report().troubles and loop.report().figures[0].value > before, "it feeds again")
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()
