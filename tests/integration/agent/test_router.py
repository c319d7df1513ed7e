"""The gateway's probe of the school's router, against a router that answers real SNMP."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from phongmay_agent.assembly import build_probes
from phongmay_agent.clock import SystemClock
from phongmay_agent.probes.base import NoData, ProbeError, run_probe
from phongmay_agent.probes.router import RouterProbe
from phongmay_agent.settings import AgentSettings, RouterSettings, load
from phongmay_contract.settings import SettingsError
from tests.snmp_router import SnmpRouter, User, Wan

MAIN = Wan(2, "ge-wan", "line to VNPT")
SPARE = Wan(7, "lte0", received=9_007_199_254_740_993, received_rate=0)
"""More than a floating-point number holds to the byte."""


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SnmpRouter]:
    """A router with a bridge and two WAN interfaces."""
    made = SnmpRouter(tmp_path_factory.mktemp("router"))
    made.start(Wan(1, "br0", is_wide=False), MAIN, SPARE)
    yield made
    made.stop()


@pytest.fixture
def probe(tmp_path: Path) -> Iterator[Callable[..., RouterProbe]]:
    """Make a probe of a router; its child is ended."""
    made: list[RouterProbe] = []

    def make(port: int, interfaces: list[str], command: tuple[str, ...] = (), **more: Any) -> RouterProbe:
        files = {}
        for name, secret in (("community", "public"), ("auth", User.auth_key), ("privacy", User.privacy_key)):
            path = files[f"{name}_file"] = tmp_path / name
            path.touch(0o600)
            path.write_text(more.pop(name, secret) + "\n")
        settings = RouterSettings(
            host="127.0.0.1", port=port, device="router-1", interfaces=interfaces,
            **{"timeout_s": 1.0, **files, **more},
        )  # fmt: skip
        made.append(RouterProbe(settings, command))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_counters_of_the_wan_are_told_of_the_router(router: SnmpRouter, probe: Callable[..., RouterProbe]) -> None:
    """64-bit counters, speed, state and uptime, with the router as subject; the counters grow at its rate."""
    asked = probe(router.port, ["ge-wan"])
    (first,) = asked.measure()
    began = time.monotonic()
    assert (first.measurement, first.subject, first.part) == ("router", "router-1", "wan")
    assert first.values["is_up"] is True
    assert first.values["speed_bps"] == 300_000_000
    assert first.values["discontinuity_s"] == 12
    time.sleep(1.0)
    (second,) = asked.measure()
    passed = second.values["uptime_s"] - first.values["uptime_s"]  # type: ignore[operator] # both are numbers
    assert passed == pytest.approx(time.monotonic() - began, abs=0.5)
    grown = second.values["received_bytes"] - first.values["received_bytes"]  # type: ignore[operator]
    assert isinstance(grown, int)
    assert grown == pytest.approx(passed * MAIN.received_rate, rel=0.05)


def test_interfaces_are_found_by_any_of_their_names(router: SnmpRouter, probe: Callable[..., RouterProbe]) -> None:
    """By name, description, alias or number, in the order of the settings, to the last byte: parts wan and wan2."""
    for first, second in (("LINE to vnpt", "7"), ("ge-wan description", "lte0")):
        main, spare = probe(router.port, [first, second]).measure()
        assert (main.part, spare.part) == ("wan", "wan2")
        assert int(main.values["received_bytes"]) < spare.values["received_bytes"] == SPARE.received


@pytest.mark.parametrize(
    ("interfaces", "more", "told"),
    [
        (["ge-wan"], {"community": "secret"}, "no_answer"),
        (["eth9"], {}, "no_such_interface"),
        (["br0"], {}, "no_64_bit_counters"),
        (["ge-wan", "2"], {}, "one_interface_named_twice"),
    ],
    ids=["community", "interface", "narrow", "twice"],
)
def test_what_cannot_be_told_is_a_failure_in_one_word(
    router: SnmpRouter, probe: Callable[..., RouterProbe], interfaces: list[str], more: dict[str, str], told: str
) -> None:
    """No group is made up: the round says why, and neither address nor community is in it."""
    groups = run_probe(probe(router.port, interfaces, **more))
    assert [group.measurement for group in groups] == ["probe"]
    assert groups[0].values["error"] == f"ProbeError: {told}"


def test_a_router_that_restarts_is_followed_by_name(tmp_path: Path, probe: Callable[..., RouterProbe]) -> None:
    """After a restart with other interface numbers the same name is found again; while it is away it is silent."""
    router = SnmpRouter(tmp_path)
    router.start(MAIN, SPARE)
    asked = probe(router.port, ["ge-wan"])
    try:
        before = asked.measure()[0].values
        router.stop()
        with pytest.raises(ProbeError, match="no_answer"):
            asked.measure()
        router.start(Wan(2, "lte0", received=1), Wan(9, "ge-wan", received=2_000_000), uptime_s=20)
        after = asked.measure()[0].values
    finally:
        router.stop()
    assert int(after["received_bytes"]) in range(2_000_000, 40_000_000)
    assert float(after["uptime_s"]) < float(before["uptime_s"]), "so the time between is unknown"


def test_an_interface_with_another_number_is_followed_by_name(
    tmp_path: Path, probe: Callable[..., RouterProbe]
) -> None:
    """A PPPoE session that begins anew renumbers interfaces while the router runs on: no other's bytes are told."""
    router = SnmpRouter(tmp_path)
    router.start(MAIN, SPARE)
    asked = probe(router.port, ["ge-wan"])
    try:
        assert int(asked.measure()[0].values["received_bytes"]) >= MAIN.received
        router.stop()
        router.start(Wan(2, "lte0", received=1), Wan(9, "ge-wan", received=2_000_000), uptime_s=6000)
        assert int(asked.measure()[0].values["received_bytes"]) in range(2_000_000, 40_000_000)
        router.stop()
        router.start(Wan(2, "lte0", received=1), uptime_s=7000)
        with pytest.raises(ProbeError, match="no_such_interface"):
            asked.measure()
    finally:
        router.stop()


def test_a_state_that_is_not_told_is_left_out(tmp_path: Path, probe: Callable[..., RouterProbe]) -> None:
    """A router that does not know ifOperStatus does not say that the interface is down."""
    router = SnmpRouter(tmp_path)
    router.start(Wan(2, "ge-wan", tells_state=False))
    try:
        (found,) = probe(router.port, ["ge-wan"]).measure()
    finally:
        router.stop()
    assert "is_up" not in found.values
    assert "received_bytes" in found.values


# ---- SNMP 3 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "asked"),
    [
        (User(auth="SHA512", privacy="AES256"), {"auth_protocol": "sha512", "privacy_protocol": "aes256"}),
        (User(auth="MD5", privacy="NONE"), {"auth_protocol": "md5", "privacy_protocol": "none"}),
        (User(auth="NONE", privacy="NONE"), {"auth_protocol": "none", "privacy_protocol": "none"}),
    ],
    ids=["sha512-aes256", "md5", "open"],
)
def test_a_router_is_asked_by_snmp_3(
    tmp_path: Path, probe: Callable[..., RouterProbe], user: User, asked: dict[str, str]
) -> None:
    """Signed and encrypted, signed only, or neither, the counters are the same."""
    router = SnmpRouter(tmp_path)
    router.start(MAIN, SPARE, user=user)
    try:
        main, spare = probe(router.port, ["ge-wan", "lte0"], snmp="3", user="phongmay", **asked).measure()
    finally:
        router.stop()
    assert int(main.values["received_bytes"]) >= MAIN.received
    assert spare.values["received_bytes"] == SPARE.received


def test_snmp_3_survives_a_restart_and_names_wrong_credentials(
    tmp_path: Path, probe: Callable[..., RouterProbe]
) -> None:
    """After a restart with a new engine it is asked on; a wrong user, signature or key is one word, without the key."""
    router = SnmpRouter(tmp_path)
    router.start(MAIN, user=User())
    asked = probe(router.port, ["ge-wan"], snmp="3", user="phongmay")
    try:
        before = asked.measure()[0].values
        router.stop()
        router.start(MAIN, uptime_s=20, user=User())
        for _ in range(3):  # the library finds the new engine by a request that fails
            after = {group.measurement: group for group in run_probe(asked)}
            if "router" in after:
                break
        assert float(after["router"].values["uptime_s"]) < float(before["uptime_s"])
        for wrong in ({"user": "nobody"}, {"auth": "not-the-key"}, {"privacy": "not-the-key"}):
            groups = run_probe(probe(router.port, ["ge-wan"], **{"snmp": "3", "user": "phongmay", **wrong}))
            assert [group.measurement for group in groups] == ["probe"]
            assert groups[0].values["error"] == "ProbeError: wrong_credentials", wrong
    finally:
        router.stop()


def test_a_secret_goes_away_while_the_agent_runs(router: SnmpRouter, probe: Callable[..., RouterProbe]) -> None:
    """A file that others may open is not used; the probe says so and sends neither path nor secret."""
    asked = probe(router.port, ["ge-wan"])
    asked._settings.community_file.chmod(0o644)
    assert run_probe(asked)[0].values["error"] == "ProbeError: secret_cannot_be_read"
    asked._settings.community_file.chmod(0o600)
    assert asked.measure()


def test_a_secret_that_is_put_right_is_used(router: SnmpRouter, probe: Callable[..., RouterProbe]) -> None:
    """Who mends a wrong community in its file need not start the agent again."""
    asked = probe(router.port, ["ge-wan"], community="wrong", timeout_s=0.3)
    with pytest.raises(ProbeError, match="no_answer"):
        asked.measure()
    asked._settings.community_file.write_text("public\n")
    with pytest.raises(ProbeError, match="no_answer"):
        asked.measure()
    assert asked.measure()


def test_no_secret_is_on_a_command_line(router: SnmpRouter, probe: Callable[..., RouterProbe]) -> None:
    """What everybody on the machine may read of the child holds no community."""
    asked = probe(router.port, ["ge-wan"])
    asked.measure()
    assert asked._child is not None
    assert "public" not in " ".join(map(str, asked._child.args))  # type: ignore[arg-type] # a sequence of words


@pytest.mark.parametrize("script", ["import time; time.sleep(60)", "raise SystemExit(1)", "print('{')"])
def test_a_child_that_hangs_or_dies_is_started_anew(probe: Callable[..., RouterProbe], script: str) -> None:
    """The probe fails for this round and leaves no process behind."""
    asked = probe(9, ["x"], (sys.executable, "-c", script), timeout_s=0.1)
    asked_at = time.monotonic()
    with pytest.raises(ProbeError, match="no_answer"):
        asked.measure()
    assert time.monotonic() - asked_at < 8
    assert asked._child is None


def test_only_a_gateway_asks(tmp_path: Path) -> None:
    """Without an address there is no probe; one that is asked all the same has no data."""
    settings = AgentSettings()
    assert "router" in settings.probes
    assert "router" not in {one.name for one in build_probes(settings, None, SystemClock(), None)}
    with pytest.raises(NoData):
        RouterProbe(RouterSettings()).measure()


GOOD = '[router]\nhost = "192.0.2.1"\ndevice = "router-1"\ninterfaces = ["wan0"]\ncommunity_file = "{}"\n'


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("interval_s = 10", "interval_s = 60", "at least every 10 s"),
        ('device = "router-1"', "", "'router.device' is missing"),
        ('["wan0"]', "[]", "'router.interfaces' names 0; expected 1 to 4"),
        ("community", "nowhere", "'router.community_file' .*nowhere: No such file"),
        ("[router]", '[router]\nsnmp = "3"', "'router.user' is missing"),
        ("[router]", '[router]\nsnmp = "3"\nuser = "u"\nauth_protocol = "none"', "encrypts nothing unsigned"),
        ("[router]", '[router]\nsnmp = "3"\nuser = "u"\nauth_file = "{}"', "auth_file.* shorter than 8 characters"),
        ("[router]", '[router]\nsnmp = "1"', "'router.snmp' must be one of 2c, 3"),
    ],
)
def test_a_wrong_setting_is_a_sentence(tmp_path: Path, before: str, after: str, told: str) -> None:
    """Means of a minute hide a full line, so a gateway measures every 10 s; what is missing is named."""
    community = tmp_path / "community"
    community.touch(0o600)
    community.write_text("public\n")
    path = tmp_path / "agent.toml"
    text = "interval_s = 10\n" + GOOD.format(community)
    path.write_text(text)
    assert load(path).router.interfaces == ["wan0"]
    if before == "community":
        path.write_text(text.replace("/community", "/nowhere"))
    else:
        path.write_text(text.replace(before, after.format(community)))
    with pytest.raises(SettingsError, match=told):
        load(path)


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_secret_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    """The sentence names key and file and says chmod; the secret is not in it."""
    community = tmp_path / "community"
    community.write_text("sesame\n")
    community.chmod(mode)
    path = tmp_path / "agent.toml"
    path.write_text("interval_s = 10\n" + GOOD.format(community))
    with pytest.raises(SettingsError, match=f"'router.community_file'.*chmod 600 {community}") as found:
        load(path)
    assert "sesame" not in str(found.value)


def test_a_secret_that_is_no_text_is_a_sentence(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are named, not thrown."""
    community = tmp_path / "community"
    community.touch(0o600)
    community.write_bytes(b"\xff\xfe")
    path = tmp_path / "agent.toml"
    path.write_text("interval_s = 10\n" + GOOD.format(community))
    with pytest.raises(SettingsError, match="is not UTF-8 text"):
        load(path)
