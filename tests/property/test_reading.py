"""The short way of reading says what the long way says: same envelopes and types, same refusals in the same words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from phongmay_collector.directory import Directory
from phongmay_collector.intake import Accepted, Intake, Outcome, read
from phongmay_collector.link import Inbound
from phongmay_collector.reading import Reader
from phongmay_contract.catalogue import MAX_TEXT, MEASUREMENTS, PartKind, Quantity, Type
from phongmay_contract.envelope import Envelope, Group, Instant, Transit, encode_backfill, encode_live
from phongmay_contract.topics import ENVELOPE_KINDS, Kind
from phongmay_store.register.base import utc_now
from phongmay_store.register.device import Device
from phongmay_store.register.engine import migrate, open_register

DEVICE, OTHER, RUN, SESSION = "pc-one", "pc-other", "aa" * 8, "bb" * 8
QUICK = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Directory]:
    """Two devices of one school, none a gateway."""
    engine = open_register(f"sqlite:///{tmp_path_factory.mktemp('register')}/register.db")
    migrate(engine)
    common = {"valid_from": utc_now(), "school_id": "s", "kind": "pc", "state": "in_service", "recorded_at": utc_now()}
    with engine.begin() as connection:
        for name in (DEVICE, OTHER):
            connection.execute(Device.__table__.insert().values(id=name, code=name, **common))
    made = Directory(engine)
    made.load()
    yield made
    engine.dispose()


def values_of(quantity: Quantity) -> st.SearchStrategy[Any]:
    """Give possible values, and those at and just beyond the bounds."""
    if quantity.type is Type.BOOL:
        return st.booleans()
    if quantity.type is Type.TEXT:
        return st.text("aß9", max_size=4) | st.sampled_from(["ß" * MAX_TEXT, "ß" * (MAX_TEXT + 1), "\U0001f600", "\0"])
    assert quantity.low is not None
    assert quantity.high is not None
    low, high = quantity.low, quantity.high
    inside = st.integers(int(low) + 1, int(high)) if quantity.type is Type.INT else st.floats(low, high)
    return inside | st.sampled_from([int(low), int(high), low - 1, high + 1, float(high), high * 4])


@st.composite
def groups(draw: st.DrawFn) -> Group:
    """Give a group by the catalogue, with values that may lie beyond their range."""
    measurement = draw(st.sampled_from(list(MEASUREMENTS.values())))
    required = {q.name: values_of(q) for q in measurement.quantities if q.required}
    others = {q.name: values_of(q) for q in measurement.quantities if not q.required}
    part = "" if measurement.part_kind is PartKind.NONE else draw(st.text("ab0", min_size=1, max_size=3))
    values = draw(st.fixed_dictionaries(required, optional=others))
    return Group(measurement.name, values, draw(st.sampled_from(["", DEVICE, OTHER])), part)


MOMENTS = st.builds(Instant, st.integers(-(10**12), 10**11) | st.floats(-1e12, 1e12), st.floats(0, 1e9))
ENVELOPES = st.builds(
    Envelope,
    kind=st.sampled_from(sorted(ENVELOPE_KINDS)), sender=st.sampled_from([DEVICE, DEVICE, OTHER]), run=st.just(RUN),
    seq=st.integers(0, 2**53), measured=MOMENTS, agent=st.text("aß9", max_size=41),
    body=st.lists(groups(), max_size=4).map(tuple),
)  # fmt: skip
TRANSITS = st.builds(Transit, st.sampled_from([SESSION, "short", "G" * 16]), MOMENTS)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([10**400, "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def same(directory: Directory, kind: Kind, payload: bytes) -> None:
    """Compare the two ways."""
    together(directory, [(kind, payload)])


def together(directory: Directory, sent: list[tuple[Kind, bytes]]) -> None:
    """Compare what messages say that are read together with what each says by itself."""
    messages = [
        Inbound("c", 1, 1, 1, f"phongmay/v1/{DEVICE}/{kind}", payload, False, 0.0, 0.0, 0.0) for kind, payload in sent
    ]
    lot = Intake(directory).lot(messages)
    assert [one.message for one in lot.taken()] == messages
    assert lot.envelopes == sum(len(one.outcomes) for one in lot.taken())
    for one in lot.taken():
        assert said(one.outcomes) == said(read(one.message.topic, one.message.payload, directory))


def said(outcomes: list[Outcome]) -> list[str]:
    """Give outcomes as texts, in which 1, 1.0 and true differ; the order of values in a group has no meaning."""
    texts = []
    for outcome in outcomes:
        if isinstance(outcome, Accepted):
            body = tuple(group._replace(values=dict(sorted(group.values.items()))) for group in outcome.envelope.body)
            texts.append(repr(msgspec.structs.replace(outcome, envelope=outcome.envelope._replace(body=body))))
        else:
            texts.append(repr(outcome))
    return texts


def places(message: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Give the path of every key and item."""
    for key, inner in message.items() if isinstance(message, dict) else enumerate(message):
        yield (*path, key)
        if isinstance(inner, dict | list):
            yield from places(inner, (*path, key))


@QUICK
@given(ENVELOPES, TRANSITS)
def test_both_ways_agree_on_what_agents_may_send(directory: Directory, envelope: Envelope, transit: Transit) -> None:
    """Values at, inside and beyond their bounds; foreign subjects; times and texts that are too long."""
    same(directory, envelope.kind, encode_live(envelope, transit))


@QUICK
@given(ENVELOPES, TRANSITS, st.data())
def test_both_ways_agree_whatever_stands_under_a_key(
    directory: Directory, envelope: Envelope, transit: Transit, data: st.DataObject
) -> None:
    """Any JSON in any place, an unknown key, a missing key."""
    message = json.loads(encode_live(envelope, transit))
    *path, last = data.draw(st.sampled_from(list(places(message))))
    inner = message
    for key in path:
        inner = inner[key]
    change = data.draw(st.sampled_from(["set", "drop", "add"]))
    if change == "drop":
        del inner[last]
    elif change == "set" or isinstance(inner, list):
        inner[last] = data.draw(JSON)
    else:
        inner[data.draw(st.text(max_size=6))] = data.draw(JSON)
    same(
        directory, envelope.kind, json.dumps(message, ensure_ascii=data.draw(st.booleans())).encode("utf-8", "replace")
    )


@QUICK
@given(ENVELOPES, TRANSITS, st.data())
@example(Envelope(Kind.ROUND, DEVICE, RUN, 1, Instant(1.0, 1.0), "a", ()), Transit(SESSION, Instant(1.0, 1.0)), None)
def test_both_ways_agree_on_damaged_bytes(
    directory: Directory, envelope: Envelope, transit: Transit, data: st.DataObject | None
) -> None:
    """A byte more, less or other: what JSON itself leaves open must not be read in two ways."""
    payload = encode_live(envelope, transit)
    if data is None:
        for text in (b'"v":1,"v":2', b'"v":1.0', b'"v":01', b'"v":1e0', b'"v":true', b'"v":1,"x":' + b"9" * 5000):
            same(directory, envelope.kind, payload.replace(b'"v":1', text))
        same(directory, envelope.kind, payload.replace(b'"agent":"a"', b'"agent":"\\u0000"'))
        same(directory, envelope.kind, b"\xef\xbb\xbf" + payload)
        same(directory, envelope.kind, payload + b" \n")
        same(directory, envelope.kind, payload + b"{}")
        return
    at = data.draw(st.integers(0, len(payload)))
    cut = data.draw(st.integers(0, 2))
    put = data.draw(st.sampled_from([b"", b"0", b"-", b".", b"e5", b"\x00", b"\x1f", b"\x7f", b"\xff", b"\\u0041",
                                     b"\\ud800", b'"', b",", b"NaN", b" ", b"\xc3\xa9", b'"v":1,']))  # fmt: skip
    same(directory, envelope.kind, payload[:at] + put + payload[at + cut :])


@QUICK
@given(st.lists(ENVELOPES, min_size=1, max_size=4), TRANSITS)
def test_both_ways_agree_on_a_backfill(directory: Directory, envelopes: list[Envelope], transit: Transit) -> None:
    """One bad envelope among good ones is refused by itself, in its place."""
    same(directory, Kind.BACKFILL, encode_backfill(DEVICE, envelopes, transit))


@QUICK
@given(
    st.lists(st.tuples(st.booleans(), ENVELOPES, st.sampled_from([b"", b"", b"", b"}", b" "])), max_size=6), TRANSITS
)
def test_messages_that_are_read_together_say_what_each_says(
    directory: Directory, sent: list[tuple[bool, Envelope, bytes]], transit: Transit
) -> None:
    """Live ones, backfills and broken ones side by side; no other message pays for the broken one."""
    together(
        directory,
        [
            (Kind.BACKFILL, encode_backfill(DEVICE, [envelope, envelope], transit) + end)
            if past
            else (envelope.kind, encode_live(envelope, transit) + end)
            for past, envelope, end in sent
        ],
    )


@pytest.mark.parametrize("kind", sorted(ENVELOPE_KINDS))
def test_ordinary_messages_take_the_short_way(directory: Directory, kind: Kind) -> None:
    """Otherwise the tests above would compare the long way with itself, and nothing would be fast."""
    body = (Group("usage", {"cpu_busy_ratio": 0.5, "memory_used_bytes": 5}), Group("reach", {"ok": True}, part="dns"))
    envelope = Envelope(kind, DEVICE, RUN, 1, Instant(1e9, 1.0), "test", body)
    transit = Transit(SESSION, Instant(1e9, 2.0))
    live, past = encode_live(envelope, transit), encode_backfill(DEVICE, [envelope, envelope], transit)
    found = Reader().live([live], [DEVICE], [kind], [4])
    assert found is not None
    assert list(found.accepted()) == [(4, Accepted(envelope, SESSION, 2.0, True))]
    found = Reader().past(past, DEVICE, 3)
    assert found is not None
    assert list(found.accepted()) == [(3, Accepted(envelope, SESSION, 2.0, False))] * 2
    sent = [(kind, live), (Kind.BACKFILL, past), (kind, live)]
    messages = [
        Inbound("c", 1, 1, 1, f"phongmay/v1/{DEVICE}/{what}", text, False, 0.0, 0.0, 0.0) for what, text in sent
    ]
    lot = Intake(directory).lot(messages)
    assert lot.said is not None
    assert sorted(owner for said in lot.said for owner in said.owners) == [0, 1, 1, 2]


def test_tokens_that_are_forgotten_meanwhile_are_tokens_still() -> None:
    """The writer reads too, out of the queue on disk: it may begin the memory anew between two looks of the loop."""

    class Forgetful(dict[str, str]):
        def __setitem__(self, key: str, value: str) -> None:
            self.clear()

    reader, instant = Reader(), Instant(1e9, 1.0)
    reader._tokens = Forgetful()
    envelope = Envelope(Kind.ROUND, DEVICE, RUN, 1, instant, "test", (Group("usage", {}),))
    found = reader.live([encode_live(envelope, Transit(SESSION, instant))], [DEVICE], [Kind.ROUND], [0])
    assert found is not None
    assert found.runs == [RUN]


def test_both_ways_agree_on_too_many_parts(directory: Directory) -> None:
    """Sixteen parts of one measurement are taken, seventeen refused, and seventeen groups of several are neither."""
    for parts in (16, 17):
        for name in ("probe", "traffic"):
            body = [Group(name, {"ok": True} if name == "probe" else {}, part=str(part)) for part in range(parts)]
            for more in ([], [Group("usage", {})]):
                envelope = Envelope(Kind.ROUND, DEVICE, RUN, 1, Instant(1e9, 1.0), "test", (*body, *more))
                same(directory, Kind.ROUND, encode_live(envelope, Transit(SESSION, Instant(1e9, 2.0))))
