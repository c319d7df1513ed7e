"""Lines that are written many at once say what each says by itself."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phongmay_contract.catalogue import Value
from phongmay_contract.envelope import Envelope, Group, Instant
from phongmay_contract.topics import Kind
from phongmay_store.series.influx_words import encode, point_time
from phongmay_store.series.interface import Arrival, TimeBasis

AT = 1_764_000_000.0
TEXT = st.text(st.sampled_from('a,=" \\\té\x01'), max_size=4)
NUMBER = st.sampled_from([0.0, -0.5, 1e20, 93_500_000.5])
GROUP = st.one_of(
    st.builds(Group, st.just("campaign"), st.fixed_dictionaries({"outcome": TEXT}, optional={"down_bps": NUMBER})),
    st.builds(
        Group,
        st.just("agent"),
        st.fixed_dictionaries({"spool_bytes": st.integers(0, 9)}, optional={"uptime_s": NUMBER}),
    ),
    st.builds(
        Group,
        st.just("reach"),
        st.fixed_dictionaries({"ok": st.booleans()}, optional={"took_s": NUMBER, "error": TEXT}),
        subject=st.sampled_from(["", "pc-other"]),
        part=st.sampled_from(["internet", "a b,c"]),
    ),
)


def arrival(body: list[Group], number: int, basis: TimeBasis) -> Arrival:
    envelope = Envelope(Kind.ROUND, f"pc-{number % 3}", "aa" * 8, number, Instant(AT, 0.0), "t", tuple(body))
    return Arrival(envelope, AT + number, basis, AT + number)


def lines(arrivals: list[Arrival], raw_from: float) -> tuple[list[bytes], list[bytes]]:
    """Give the lines of rounds and of what is kept in an order of their own; no text of these tests holds a newline."""
    found = encode(arrivals, raw_from)
    return sorted(apart(found.raw)), sorted(apart(found.kept))


def apart(blocks: list[bytes]) -> list[bytes]:
    """Take blocks apart into lines, as only who knows their texts may do."""
    return b"\n".join(blocks).split(b"\n")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.lists(GROUP, max_size=4), st.sampled_from(list(TimeBasis))), min_size=1, max_size=12))
def test_together_they_say_what_each_says(bodies: list[tuple[list[Group], TimeBasis]]) -> None:
    """Whoever sends a comma or a backslash changes no line but its own, and of that only the quoted text."""
    arrivals = [arrival(body, number, basis) for number, (body, basis) in enumerate(bodies)]
    raw_from = AT + 4
    together = lines(arrivals, raw_from)
    singly = [lines([one], raw_from) for one in arrivals]
    for place in (0, 1):
        assert [line for line in together[place] if line] == sorted(
            line for one in singly for line in one[place] if line
        )


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"outcome": "ok", "down_bps": 1.5}, b'outcome="ok",down_bps=1.5'),
        ({"outcome": "a,b", "down_bps": 2.0}, b'outcome="a,b",down_bps=2.0'),
        ({"outcome": 'say "a\\b"'}, b'outcome="say \\"a\\\\b\\""'),
        ({"outcome": "tab\t", "up_bps": 3.0}, b'outcome="tab\t",up_bps=3.0'),
    ],
)
def test_a_line_by_the_letter(values: dict[str, Value], fields: bytes) -> None:
    """Between lines without any oddity, an odd text is quoted as line protocol wants it, and as JSON would not."""
    plain = [
        arrival([Group("campaign", {"outcome": "ok", "down_bps": 1.5})], number, TimeBasis.LIVE) for number in (1, 3)
    ]
    odd = arrival([Group("campaign", values)], 2, TimeBasis.WALL)
    wanted = b'campaign,device=pc-2 source_run="aaaaaaaaaaaaaaaa",basis="wall",%b,source_seq=2i %d'
    assert wanted % (fields, point_time(odd)) in apart(encode([plain[0], odd, plain[1]], 0.0).kept)


def test_a_whole_number_is_one_and_a_part_is_a_tag() -> None:
    """The field's type is fixed for ever by the first line: `i` belongs to whole numbers only."""
    body = [
        Group("agent", {"uptime_s": 0.5, "spool_bytes": 4, "interval_s": 60.0}),
        Group("reach", {"ok": True}, part="a b"),
    ]
    agent, reach = apart(encode([arrival(body, 7, TimeBasis.LIVE)], 0.0).raw)
    run = b'source_run="aaaaaaaaaaaaaaaa"'
    assert agent.startswith(b"agent,device=pc-1 %b,uptime_s=0.5,interval_s=60.0,spool_bytes=4i,source_seq=7i 1" % run)
    assert reach.startswith(b"reach,device=pc-1,part=a\\ b %b,ok=true,source_seq=7i 1" % run)
