"""Whatever an agent may measure survives the wire and the spool unchanged, and no bytes bring a reader down."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phongmay_contract import topics
from phongmay_contract.catalogue import MAX_TEXT, MEASUREMENTS, PartKind, Quantity, Type, Value
from phongmay_contract.checking import check
from phongmay_contract.envelope import (
    MAX_SEQ,
    Envelope,
    Group,
    Instant,
    Receipt,
    Status,
    Transit,
    decode_live,
    decode_receipt,
    decode_status,
    decode_stored,
    encode_backfill,
    encode_live,
    encode_receipt,
    encode_status,
    encode_stored,
    load,
    read_backfill,
    read_envelope,
)
from phongmay_contract.errors import ContractError

DEVICES = st.from_regex(r"[a-z0-9][a-z0-9-]{2,39}", fullmatch=True)
TOKENS = st.from_regex(r"[0-9a-f]{8,64}", fullmatch=True)
# Thousandths and millionths of a second, as the wire rounds them.
INSTANTS = st.builds(
    lambda wall, mono: Instant(wall / 1000, mono / 1_000_000),
    st.integers(-(10**12), 4 * 10**12),
    st.integers(0, 10**14),
)
PARTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64)


def values_of(quantity: Quantity) -> st.SearchStrategy[Value]:
    """Give any possible value of a quantity."""
    if quantity.type is Type.BOOL:
        return st.booleans()
    if quantity.type is Type.TEXT:
        return st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=MAX_TEXT)
    assert quantity.low is not None
    assert quantity.high is not None
    if quantity.type is Type.INT:
        return st.integers(int(quantity.low), int(quantity.high))
    return st.floats(quantity.low, quantity.high, allow_nan=False)


@st.composite
def groups(draw: st.DrawFn) -> Group:
    """Give a group that keeps to the catalogue."""
    measurement = draw(st.sampled_from(list(MEASUREMENTS.values())))
    required = {q.name: values_of(q) for q in measurement.quantities if q.required}
    others = {q.name: values_of(q) for q in measurement.quantities if not q.required}
    values = draw(st.fixed_dictionaries(required, optional=others))
    part = "" if measurement.part_kind is PartKind.NONE else draw(PARTS)
    return Group(measurement.name, values, draw(st.one_of(st.just(""), DEVICES)), part)


ENVELOPES = st.builds(
    Envelope,
    kind=st.sampled_from(sorted(topics.ENVELOPE_KINDS)),
    sender=DEVICES,
    run=TOKENS,
    seq=st.integers(0, MAX_SEQ),
    measured=INSTANTS,
    agent=st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    body=st.lists(groups(), max_size=5).map(tuple),
)
TRANSITS = st.builds(Transit, session=TOKENS, sent=INSTANTS)


@given(ENVELOPES, TRANSITS)
def test_a_live_message_comes_back(envelope: Envelope, transit: Transit) -> None:
    """Decode undoes encode, and the check finds nothing to change."""
    assert decode_live(encode_live(envelope, transit)) == (envelope, transit)
    checked = check(envelope)
    assert (checked.envelope, checked.unknown, checked.out_of_range) == (envelope, (), ())


@given(ENVELOPES)
def test_the_spool_keeps_an_envelope(envelope: Envelope) -> None:
    """Decode undoes encode."""
    assert decode_stored(encode_stored(envelope)) == envelope


@given(DEVICES, st.lists(ENVELOPES, min_size=1, max_size=4), TRANSITS)
def test_a_backfill_comes_back(sender: str, envelopes: list[Envelope], transit: Transit) -> None:
    """Sender, transit and every envelope."""
    who, how, raw = read_backfill(load(encode_backfill(sender, envelopes, transit)))
    assert (who, how, [read_envelope(item) for item in raw]) == (sender, transit, envelopes)


@given(
    st.builds(Status, DEVICES, TOKENS, TOKENS, st.sampled_from(["online", "goodbye", "lost"]), INSTANTS, st.just("1"))
)
def test_a_status_comes_back(status: Status) -> None:
    """Decode undoes encode."""
    assert decode_status(encode_status(status)) == status


SEQS = st.integers(0, MAX_SEQ)
RECEIPTS = st.builds(
    Receipt,
    TOKENS,
    st.lists(st.tuples(SEQS, SEQS), max_size=5).map(tuple),
    st.lists(st.tuples(SEQS, st.sampled_from(["not_json", "wrong_type"])), max_size=3).map(tuple),
)


@given(st.lists(RECEIPTS, max_size=3))
def test_a_receipt_comes_back(receipts: list[Receipt]) -> None:
    """Decode undoes encode."""
    assert decode_receipt(encode_receipt(receipts)) == receipts


@given(DEVICES, st.sampled_from(list(topics.Kind)))
def test_parse_undoes_build(device: str, kind: topics.Kind) -> None:
    """For every device id and kind."""
    assert topics.parse(topics.build(device, kind)) == (device, kind)


@given(st.text(max_size=60))
def test_build_undoes_parse(text: str) -> None:
    """A topic that is parsed is the one that would be built; any other is refused by a ContractError."""
    topic = f"{topics.ROOT}/{text}"
    try:
        device, kind = topics.parse(topic)
    except ContractError:
        return
    assert topics.build(device, kind) == topic


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)


@given(st.binary(max_size=200))
def test_no_bytes_bring_a_reader_down(payload: bytes) -> None:
    """Anything but the contract is a ContractError, never another exception."""
    for read in (decode_live, decode_status, decode_receipt, decode_stored):
        with pytest.raises(ContractError):
            read(payload)


@given(ENVELOPES, TRANSITS, st.data())
def test_one_wrong_value_never_brings_a_reader_down(envelope: Envelope, transit: Transit, data: st.DataObject) -> None:
    """Any key of a good message set to any JSON: read, or refused by a ContractError."""
    message = json.loads(encode_live(envelope, transit))
    message[data.draw(st.sampled_from(sorted(message)))] = data.draw(JSON)
    try:
        found, _ = decode_live(json.dumps(message).encode())
        check(found)
    except ContractError:
        pass
