"""deploy/compose.yaml is accepted by Docker's own tool, and names nothing that our program or repository lacks."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from phongmay.main import build_parser
from phongmay.settings import ServerSettings, load
from tests.conftest import missing

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: one for name, one in SERVICES.items() if one["image"].startswith("phongmay:")}
THEIRS = {name: one for name, one in SERVICES.items() if name not in OURS}
ONCE = {name for name, one in SERVICES.items() if one["restart"] == "no"}


@pytest.fixture(scope="module")
def settings() -> ServerSettings:
    """The settings file of the containers, read as every service reads it."""
    return load(DEPLOY / "phongmay.toml")


def test_dockers_own_tool_accepts_it() -> None:
    """docker-compose 1.29, which Debian has, checks the file against its schema and resolves every reference."""
    tool = shutil.which("docker-compose") or missing("docker-compose is not installed: apt install docker-compose")
    done = subprocess.run(
        [tool, "-f", str(DEPLOY / "compose.yaml"), "config", "-q"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", OURS)
def test_our_services_run_commands_that_exist(name: str) -> None:
    """Each command line is one that the program takes, after the entry point of the image."""
    entry = re.search(r"^ENTRYPOINT (\[.*\])$", (DEPLOY / "Containerfile").read_text("utf-8"), re.MULTILINE)
    assert entry
    program, *options = yaml.safe_load(entry[1])
    assert program == "phongmay"
    build_parser().parse_args([*options, *map(str, OURS[name]["command"])])


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_pinned_watched_and_without_rights(name: str) -> None:
    """Images have a version; what stays up is restarted and has a health check; nothing may gain rights."""
    one = SERVICES[name]
    assert re.fullmatch(r"[\w./-]+:\d+\.\d+(\.\d+)?", one["image"])
    assert "no-new-privileges:true" in one["security_opt"]
    if name not in ONCE:
        assert one["restart"] == "unless-stopped"
        assert "healthcheck" in one or name == "campaigns", "campaigns has no port to be asked at"
    if name in OURS or name == "grafana":
        assert one["cap_drop"] == ["ALL"]
        assert not one["user"].startswith(("0", "root"))


def test_files_and_volumes_that_are_mounted_exist() -> None:
    """A mounted file is there, a named volume is declared, a secret is a file that the manual tells how to make."""
    manual = (ROOT / "docs" / "deploying.md").read_text("utf-8")
    for name, one in SERVICES.items():
        for mount in one.get("volumes", ()):
            source = mount.split(":")[0]
            assert (DEPLOY / source).is_file() if source.startswith(".") else source in COMPOSE["volumes"], (
                name,
                mount,
            )
        for secret in one.get("secrets", ()):
            assert COMPOSE["secrets"][secret]["file"] == f"./secrets/{secret}"
            assert re.search(rf"\b{secret}\b", manual)
    assert {secret for one in SERVICES.values() for secret in one.get("secrets", ())} == COMPOSE["secrets"].keys()


def test_no_secret_is_in_a_file_of_the_repository() -> None:
    """Passwords and tokens come from files; only the README and the ignore file lie where they belong."""
    tracked = subprocess.run(
        ["git", "ls-files", "deploy/secrets"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert {Path(line).name for line in tracked.stdout.splitlines()} <= {"README.md", ".gitignore"}
    for one in SERVICES.values():
        for key, value in one.get("environment", {}).items():
            if re.search("PASSWORD|TOKEN", key):
                assert key.endswith("_FILE")
                assert str(value).startswith("/run/secrets/")


def test_settings_name_the_services_and_secrets_of_the_compose_file(settings: ServerSettings) -> None:
    """Hosts are services, ports are those that their health checks ask, secrets are mounted where they are read."""
    register = re.fullmatch(r"postgresql\+psycopg://(\w+)@(\w+):5432/(\w+)\?passfile=(.+)", settings.store.register_url)
    assert register
    assert register[2] in SERVICES
    environment = SERVICES["postgres"]["environment"]
    assert (register[1], register[3]) == (environment["POSTGRES_USER"], environment["POSTGRES_DB"])
    influx = settings.store.influx
    assert (settings.store.series, influx.version) == ("influx", "2")
    assert influx.url == "http://influxdb:8086"
    assert SERVICES["influxdb"]["environment"]["DOCKER_INFLUXDB_INIT_ORG"] == influx.org
    assert SERVICES["influxdb"]["environment"]["DOCKER_INFLUXDB_INIT_BUCKET"] == influx.database
    assert settings.broker.host in OURS
    for path, name in (
        (register[4], "collector"),
        (influx.auth, "collector"),
        (settings.dashboards.secret_file, "grafana"),
    ):
        assert Path(path).name in SERVICES[name]["secrets"]
        assert path.startswith("/run/secrets/")
    asked = {
        "mosquitto": settings.broker.port,
        "collector": settings.collector.metrics_port,
        "rules": settings.rules.metrics_port,
        "campaigns": settings.campaigns.metrics_port,
        "api": settings.api.port,
        "boards-feed": settings.dashboards.metrics_port,
    }
    for name, port in asked.items():
        assert str(port) in " ".join(SERVICES[name]["healthcheck"]["test"])
    assert SERVICES["mosquitto"]["ports"] == [
        f"${{PHONGMAY_MQTT_ADDRESS:-127.0.0.1}}:{settings.broker.port}:{settings.broker.port}"
    ]
    assert SERVICES["api"]["ports"][0].endswith(f":{settings.api.port}:{settings.api.port}")
    assert (settings.broker.bind, settings.api.host) == ("0.0.0.0", "0.0.0.0")


def test_no_container_lives_in_another_ones_processes() -> None:
    """Whoever shares process numbers dies with the other and may not come back: Mosquitto looks at its files itself."""
    assert not [name for name, one in SERVICES.items() if "pid" in one or "network_mode" in one]
    assert "--watch" in SERVICES["mosquitto"]["command"]
    mounted = [mount for mount in SERVICES["mosquitto"]["volumes"] if mount.startswith("state:")]
    assert mounted == [mount for mount in SERVICES["collector"]["volumes"] if mount.startswith("state:")] != []


def test_services_wait_for_what_they_need() -> None:
    """Each dependency is a service; who runs once must complete, who stays must be healthy."""
    for name, one in SERVICES.items():
        for needed, how in one.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if needed in ONCE else "service_healthy"
            assert how["condition"] == wanted, (name, needed)


def test_every_variable_is_documented() -> None:
    """What may be set from outside has its line in docs/deploying.md."""
    manual = (ROOT / "docs" / "deploying.md").read_text("utf-8")
    found = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text("utf-8")))
    assert found == {"PHONGMAY_MQTT_ADDRESS", "PHONGMAY_WEB_ADDRESS"}
    assert all(f"`{name}`" in manual for name in found)


def test_the_image_is_built_from_what_is_there() -> None:
    """What the Containerfile copies exists; it ends as the user of the compose file, not as root."""
    text = (DEPLOY / "Containerfile").read_text("utf-8")
    for line in re.findall(r"^COPY (.+)$", text, re.MULTILINE):
        assert (ROOT / shlex.split(line)[0]).exists()
    assert re.findall(r"^USER (.+)$", text, re.MULTILINE)[-1] == OURS["api"]["user"]
    assert "requirements/grafana.txt" in text
    ignored = (ROOT / ".dockerignore").read_text("utf-8").split()
    assert {".git", ".venv", "deploy/secrets"} <= {*ignored}


def test_grafana_reads_the_folder_that_the_boards_are_written_to() -> None:
    """Boards are built into the volume that Grafana provisions itself from."""
    assert SERVICES["boards-build"]["command"] == ["dashboards", "build", "--to", "/grafana"]
    assert "boards:/grafana" in SERVICES["boards-build"]["volumes"]
    assert "boards:/grafana:ro" in SERVICES["grafana"]["volumes"]
    assert SERVICES["grafana"]["environment"]["GF_PATHS_PROVISIONING"] == "/grafana/provisioning"
