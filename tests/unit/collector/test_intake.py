"""Whatever bytes come, the answer is a list of outcomes: no message can crash the collector or poison a batch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from phongmay_collector.directory import Directory
from phongmay_collector.intake import Accepted, Heard, Refused, read
from phongmay_contract.catalogue import MEASUREMENTS, Type
from phongmay_contract.envelope import Envelope, Group, Instant, Transit, encode_backfill, encode_live
from phongmay_contract.errors import Reason
from phongmay_contract.topics import Kind
from phongmay_store.errors import StoreError
from phongmay_store.register.base import utc_now
from phongmay_store.register.device import Device
from phongmay_store.register.engine import migrate, open_register

RUN = "aa" * 8
TOPIC = "phongmay/v1/pc-one/round"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    made = open_register(f"sqlite:///{tmp_path_factory.mktemp('register')}/register.db")
    migrate(made)
    with made.begin() as connection:
        row = {
            "id": "pc-one",
            "valid_from": utc_now(),
            "school_id": "s",
            "code": "1",
            "kind": "pc",
            "state": "in_service",
        }
        connection.execute(Device.__table__.insert().values(**row, recorded_at=utc_now()))
    yield made
    made.dispose()


@pytest.fixture(scope="module")
def directory(engine: Engine) -> Directory:
    made = Directory(engine)
    made.load()
    return made


def envelope(seq: int = 1, *groups: Group) -> Envelope:
    return Envelope(Kind.ROUND, "pc-one", RUN, seq, Instant(1e9, 1.0), "test", groups)


def live(**changes: Any) -> bytes:
    message = json.loads(encode_live(envelope(), Transit(RUN, Instant(1e9, 1.0))))
    message.update(changes)
    return json.dumps({key: value for key, value in message.items() if value is not ...}).encode()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["\ud800", "1e999", 10**400]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = ["v", "kind", "sender", "run", "seq", "measured", "agent", "body", "session", "sent", "envelopes", "state", "at"]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(st.sampled_from(KEYS), json_values, max_size=3), kind=st.sampled_from(list(Kind)))
def test_a_message_with_anything_in_any_key_is_read_or_refused(
    directory: Directory, changes: dict[str, Any], kind: Kind
) -> None:
    """Fuzzed keys of a good message: outcomes only, and whatever is accepted can be stored and answered."""
    for outcome in read(f"phongmay/v1/pc-one/{kind}", live(**changes), directory):
        if isinstance(outcome, Accepted):
            outcome.envelope.agent.encode()
            assert outcome.envelope.sender == "pc-one"
        else:
            assert isinstance(outcome, Heard | Refused)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    topic=st.text() | st.just(TOPIC), payload=st.binary() | json_values.map(lambda value: json.dumps(value).encode())
)
def test_any_bytes_under_any_topic_are_refused(directory: Directory, topic: str, payload: bytes) -> None:
    """No bytes are an envelope by chance; the dead letter holds them as they came."""
    (outcome,) = read(topic, payload, directory)
    assert isinstance(outcome, Refused)
    assert (outcome.topic, outcome.payload) == (topic, payload)


@pytest.mark.parametrize(
    ("topic", "payload", "reason", "named"),
    [
        (TOPIC, live(v=2), Reason.WRONG_VERSION, False),  # stays in the spool until the server understands it
        (TOPIC, live(sender="pc-two"), Reason.WRONG_SENDER, False),
        (TOPIC, live(seq=-1), Reason.BAD_VALUE, False),
        (TOPIC, live(agent=...), Reason.MISSING_KEY, True),
        (TOPIC, live(kind="inventory"), Reason.BAD_VALUE, True),
        (TOPIC, live(measured={"wall": 10**400, "mono": 1}), Reason.BAD_VALUE, True),
        (TOPIC, live(body=[{"measurement": "hardware", "values": {"os_id": "\ud800"}}]), Reason.BAD_VALUE, False),
        (TOPIC, live(body=[{"measurement": "usage", "values": {}, "subject": "pc-two"}]), Reason.FOREIGN_SUBJECT, True),
        ("phongmay/v1/pc-two/round", live(sender="pc-two"), Reason.UNKNOWN_DEVICE, True),
        ("phongmay/v1/pc-one/command", live(), Reason.BAD_TOPIC, False),
        ("phongmay/v1/pc-one/round/x", live(), Reason.BAD_TOPIC, False),
        (TOPIC, b'{"v":1,"x":"' + b"a" * 300_000 + b'"}', Reason.TOO_LARGE, False),
    ],
)
def test_each_refusal_has_its_reason(
    directory: Directory, topic: str, payload: bytes, reason: Reason, named: bool
) -> None:
    """The reason is a code; a receipt names the envelope only where its identity is sure to be the sender's own."""
    (outcome,) = read(topic, payload, directory)
    assert isinstance(outcome, Refused)
    assert (outcome.reason, outcome.id is not None) == (reason, named), outcome.detail


def test_one_bad_envelope_does_not_spoil_the_others_of_its_backfill(directory: Directory) -> None:
    """Sixty envelopes in one message: the good ones are stored, the bad one is a dead letter of its own."""
    bad = envelope(2, Group("usage", {"cpu_busy_ratio": "much"}))
    payload = encode_backfill("pc-one", [envelope(1), bad, envelope(3)], Transit(RUN, Instant(1e9, 1.0)))
    first, second, third = read("phongmay/v1/pc-one/backfill", payload, directory)
    assert isinstance(first, Accepted)
    assert isinstance(third, Accepted)
    assert not first.live
    assert isinstance(second, Refused)
    assert second.id == ("pc-one", RUN, 2)
    assert json.loads(second.payload)["body"][0]["values"] == {"cpu_busy_ratio": "much"}


def test_a_register_that_does_not_answer_makes_no_device_unknown(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing may be refused for good because a database is away."""
    empty = open_register(f"sqlite:///{tmp_path_factory.mktemp('empty')}/register.db")
    with pytest.raises(StoreError):
        read(TOPIC, live(), Directory(empty))


def test_every_whole_number_of_the_catalogue_fits_the_store() -> None:
    """SQLite takes 64 bits; a quantity without a bound could poison a batch."""
    for measurement in MEASUREMENTS.values():
        for quantity in measurement.quantities:
            if quantity.type is Type.INT:
                assert quantity.high is not None
                assert quantity.high <= 2**63
                assert quantity.low is not None
