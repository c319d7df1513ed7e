"""A probe that fails, hangs on nonsense or knows nothing must never hide another one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from phongmay_agent.agent import measure
from phongmay_agent.probes.base import NoData, ProbeError, run_probe
from phongmay_contract.catalogue import Cadence
from phongmay_contract.envelope import Group


class Fake:
    """A probe that does what a test says."""

    cadence = Cadence.ROUND
    gives = ("usage",)

    def __init__(self, name: str, act: Callable[[], list[Group]]) -> None:
        self.name = name
        self._act = act

    def measure(self) -> list[Group]:
        """Do it."""
        return self._act()


def raising(error: Exception) -> Callable[[], list[Group]]:
    """Make an action that raises."""

    def act() -> list[Group]:
        raise error

    return act


def good() -> list[Group]:
    """Give one good group."""
    return [Group("usage", {"memory_used_bytes": 5})]


def about(groups: list[Group]) -> Group:
    """Give the probe's group about itself, which comes last."""
    assert groups[-1].measurement == "probe"
    return groups[-1]


def test_a_good_probe_gives_its_groups_and_says_so() -> None:
    """Every probe reports how it fared, with the time it took."""
    times = iter((10.0, 10.25))
    groups = run_probe(Fake("usage", good), elapsed=lambda: next(times))
    assert groups == [*good(), Group("probe", {"ok": True, "took_s": 0.25}, part="usage")]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ProbeError("PowerShell gave nothing"), "ProbeError: PowerShell gave nothing"),
        (PermissionError(13, "Permission denied", "/home/nguyen/secret"), "PermissionError: Permission denied"),
        (ValueError("/home/nguyen is no number"), "ValueError: test_running_probes.py:"),
    ],
)
def test_a_failure_becomes_a_measurement_without_personal_data(error: Exception, said: str) -> None:
    """The class and a short reason; texts of foreign exceptions may name people, so they stay here."""
    values = about(run_probe(Fake("usage", raising(error)))).values
    assert values["ok"] is False
    assert str(values["error"]).startswith(said)
    assert "nguyen" not in str(values["error"])


def test_knowing_nothing_is_no_failure() -> None:
    """NoData gives no groups, and the probe is well."""
    groups = run_probe(Fake("usage", raising(NoData())))
    assert len(groups) == 1
    assert about(groups).values["ok"] is True


def test_a_failing_probe_hides_no_other() -> None:
    """The round holds what the others measured."""
    body = measure([Fake("bad", raising(OSError(5, "I/O error"))), Fake("usage", good)], Cadence.ROUND)
    assert [(group.measurement, group.part) for group in body] == [("probe", "bad"), ("usage", ""), ("probe", "usage")]


@pytest.mark.parametrize(
    "group",
    [
        Group("usage", {"memory_used_bytes": "much"}),
        Group("link", {"speed_bps": 10**9}, part="eth0"),
        Group("usage", {"memory_used_bytes": 1}, part="x"),
    ],
    ids=["wrong type", "required quantity missing", "part where there is none"],
)
def test_a_group_that_the_collector_would_refuse_spoils_its_own_probe_only(group: Group) -> None:
    """One wrong type would cost the whole envelope at the collector; it is caught here."""
    groups = run_probe(Fake("usage", lambda: [group]))
    assert [item.measurement for item in groups] == ["probe"]
    assert str(about(groups).values["error"]).startswith("ContractError: ")


def test_an_impossible_value_is_left_out_and_named() -> None:
    """The other values of the probe stay."""
    groups = run_probe(Fake("usage", lambda: [Group("usage", {"cpu_busy_ratio": 1.5, "memory_used_bytes": 5})]))
    assert groups[0].values == {"memory_used_bytes": 5}
    assert "usage.cpu_busy_ratio" in str(about(groups).values["error"])


def test_long_texts_are_cut_not_refused() -> None:
    """A firmware that writes novels still has a record."""
    groups = run_probe(Fake("hardware", lambda: [Group("hardware", {"os_id": "x", "board_model": "b" * 999})]))
    assert groups[0].values["board_model"] == "b" * 200
