"""What a writer remembers of stored identities is what the database would say."""

from __future__ import annotations

from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phongmay_contract.envelope import Envelope, Instant
from phongmay_contract.topics import Kind
from phongmay_store.series.interface import Arrival, TimeBasis
from phongmay_store.series.sqlite import SqliteSeries

AT = 1_764_000_000.0
IDENTITY = st.tuples(st.sampled_from(["pc-one", "pc-two"]), st.sampled_from(["aa" * 8, "bb" * 8]), st.integers(55, 65))
BATCH = st.tuples(
    st.booleans(), st.sampled_from(["kept", "failed", "guessed"]), st.lists(IDENTITY, min_size=1, max_size=4)
)


def arrival(sender: str, run: str, seq: int, basis: TimeBasis) -> Arrival:
    return Arrival(Envelope(Kind.EVENT, sender, run, seq, Instant(AT, 0.0), "t", ()), AT, basis, AT)


@settings(max_examples=60, deadline=None)
@given(st.lists(BATCH, min_size=1, max_size=12))
def test_fresh_is_what_nobody_has_stored(
    tmp_path_factory: pytest.TempPathFactory, batches: list[tuple[bool, str, list[tuple[str, str, int]]]]
) -> None:
    """Two writers, batches that fail, repeats, times that are guesses, runs that cross from one block to the next."""
    path = tmp_path_factory.mktemp("stored") / "series.db"
    stored: set[tuple[str, str, int]] = set()
    with closing(SqliteSeries.open(path)) as one, closing(SqliteSeries.open(path)) as two:
        for first, how, identities in batches:
            state = (one if first else two)._state
            basis = TimeBasis.GUESS if how == "guessed" else TimeBasis.LIVE
            fresh = state.fresh([arrival(*identity, basis) for identity in identities])
            found = [tuple(one.id) for one in fresh.arrivals]
            assert sorted(found) == sorted(set(identities) - stored)
            if how != "failed":
                with state.database.writing() as writing:
                    state.keep(writing, fresh, [], [])
                state.kept(fresh)
                stored |= set(identities)
        assert one.envelope_count() == len(stored)
