"""A clone is a run that speaks again after another run was born; a restart is not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from phongmay_collector.identity import IdentityWatch

DEVICE = "pc-one"


@given(st.lists(st.integers(1, 5), min_size=1, max_size=12))
def test_restarts_are_never_clones(envelopes_of_each_run: list[int]) -> None:
    """However often an agent restarts: runs that follow each other raise no alarm."""
    watch = IdentityWatch()
    for number, count in enumerate(envelopes_of_each_run):
        assert watch.born(DEVICE, f"run{number}", f"session{number}") is None
        assert all(watch.spoke(DEVICE, f"run{number}") is None for _ in range(count))


def test_a_run_that_speaks_after_another_was_born_is_told() -> None:
    """Both by an envelope and by a new connection; the sentence names both runs."""
    watch = IdentityWatch()
    watch.born(DEVICE, "a", "1")
    watch.born(DEVICE, "b", "2")
    assert watch.spoke(DEVICE, "a") == "run a sent again after run b was born"
    assert watch.born(DEVICE, "b", "3") == "run b connected again after run a was born"
    assert watch.spoke(DEVICE, "b") is None


def test_the_same_birth_again_is_no_birth() -> None:
    """A broker that was killed may deliver an old birth again."""
    watch = IdentityWatch()
    watch.born(DEVICE, "a", "1")
    watch.born(DEVICE, "b", "2")
    assert watch.born(DEVICE, "a", "1") is None
    assert watch.newest(DEVICE) == "b"


def test_one_reconnecting_run_is_no_clone() -> None:
    """A bad line makes many sessions of one run."""
    watch = IdentityWatch()
    assert [watch.born(DEVICE, "a", str(number)) for number in range(40)] == [None] * 40


def test_a_clone_is_seen_also_when_the_collector_started_in_between() -> None:
    """Without any birth heard, the envelopes alone show it."""
    watch = IdentityWatch()
    assert watch.spoke(DEVICE, "a") is None
    assert watch.spoke(DEVICE, "b") is None
    assert watch.spoke(DEVICE, "a") is not None
