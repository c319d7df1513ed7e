"""Messages that are cut, swollen, of another version or of the wrong shape are refused by the right reason."""

from __future__ import annotations

import json
from typing import Any

import pytest

from phongmay_contract.envelope import (
    MAX_BACKFILL,
    MAX_MESSAGE_BYTES,
    Instant,
    Transit,
    decode_live,
    decode_receipt,
    decode_status,
    encode_backfill,
    load,
    read_backfill,
)
from phongmay_contract.errors import ContractError, Reason

GOOD: dict[str, Any] = {
    "v": 1,
    "kind": "round",
    "sender": "pc-abc",
    "run": "0" * 16,
    "seq": 1,
    "measured": {"wall": 1.0, "mono": 2.0},
    "agent": "0.1.0",
    "body": [{"measurement": "usage", "values": {}}],
    "session": "1" * 16,
    "sent": {"wall": 1.0, "mono": 2.0},
}


def refused(payload: bytes) -> ContractError:
    """Assert that a message is refused."""
    with pytest.raises(ContractError) as caught:
        decode_live(payload)
    return caught.value


def test_the_good_message_is_read() -> None:
    """The refusals below are of what was changed in it, not of the rest."""
    envelope, transit = decode_live(json.dumps(GOOD).encode())
    assert (envelope.sender, envelope.seq, transit.session) == ("pc-abc", 1, "1" * 16)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", Reason.NOT_JSON),
        (json.dumps(GOOD).encode()[:-20], Reason.NOT_JSON),
        (b"\xff\xfe{}", Reason.NOT_JSON),
        (b"[" * 100_000, Reason.NOT_JSON),
        (b"[1]", Reason.NOT_AN_OBJECT),
        (b"null", Reason.NOT_AN_OBJECT),
        (b" " * (MAX_MESSAGE_BYTES + 1), Reason.TOO_LARGE),
        (b'{"v":1,"x":NaN}', Reason.BAD_VALUE),
        (b'{"v":1,"x":Infinity}', Reason.BAD_VALUE),
        (b'{"v":2}', Reason.WRONG_VERSION),
        (b'{"v":true}', Reason.WRONG_VERSION),
        (b"{}", Reason.WRONG_VERSION),
    ],
)
def test_what_cannot_be_read_has_its_reason(payload: bytes, reason: Reason) -> None:
    """A dead letter tells a cut message from a foreign one."""
    assert refused(payload).reason is reason


@pytest.mark.parametrize("key", [key for key in GOOD if key != "v"])
def test_every_key_is_needed_and_named(key: str) -> None:
    """A missing key is refused by its name, a wrong type too."""
    without = refused(json.dumps({k: v for k, v in GOOD.items() if k != key}).encode())
    assert (without.reason, key in without.detail) == (Reason.MISSING_KEY, True)
    wrong = refused(json.dumps({**GOOD, key: False}).encode())
    assert (wrong.reason, key in wrong.detail) == (Reason.WRONG_TYPE, True)


@pytest.mark.parametrize(
    "change",
    [
        {"sender": "PC/+"}, {"run": "xyz"}, {"run": "0"}, {"session": "0" * 65}, {"seq": -1}, {"seq": 2**53},
        {"kind": "backfill"}, {"kind": "?"}, {"agent": "v" * 41}, {"measured": {"wall": 1e300, "mono": 0}},
        {"measured": {"wall": 10**400, "mono": 0}}, {"sent": {"wall": 0, "mono": -(10**400)}}, {"seq": 10**400},
        {"body": [{"measurement": "m", "values": {}, "part": "p" * 65}]},
        {"body": [{"measurement": "m", "values": {}, "subject": "../x"}]},
    ],
    ids=lambda change: str(change)[:40],
)  # fmt: skip
def test_values_out_of_bounds_are_refused(change: dict[str, Any]) -> None:
    """Nothing of a message reaches a topic, a file name or a time calculation unchecked."""
    assert refused(json.dumps({**GOOD, **change}).encode()).reason is Reason.BAD_VALUE


def test_half_a_surrogate_pair_is_refused_and_a_whole_one_is_text() -> None:
    """JSON can write what no database stores: such a message would come back for ever and stop the collector."""
    half = json.dumps({**GOOD, "body": [{"measurement": "hardware", "values": {"os_id": "x"}}]})
    assert refused(half.replace('"x"', '"\\uD800"').encode()).reason is Reason.BAD_VALUE
    envelope, _ = decode_live(half.replace('"x"', '"\\ud83d\\ude00"').encode())
    assert envelope.body[0].values["os_id"] == "\N{GRINNING FACE}"


def test_unknown_keys_are_accepted() -> None:
    """A newer agent may say more."""
    envelope, _ = decode_live(json.dumps({**GOOD, "colour": "red"}).encode())
    assert envelope.seq == 1


@pytest.mark.parametrize("number", [0, MAX_BACKFILL + 1])
def test_a_backfill_has_bounds(number: int) -> None:
    """Neither empty nor endless, on both sides."""
    envelope, transit = decode_live(json.dumps(GOOD).encode())
    with pytest.raises(ValueError, match="1 to 60"):
        encode_backfill("pc-abc", [envelope] * number, transit)
    message = json.loads(encode_backfill("pc-abc", [envelope], transit))
    with pytest.raises(ContractError):
        read_backfill({**message, "envelopes": [GOOD] * number})


def test_one_bad_envelope_does_not_spoil_a_backfill() -> None:
    """They are handed on raw, each to be read by itself."""
    envelope, transit = decode_live(json.dumps(GOOD).encode())
    message = json.loads(encode_backfill("pc-abc", [envelope, envelope], transit))
    del message["envelopes"][0]["seq"]
    _, _, raw = read_backfill(message)
    assert len(raw) == 2


@pytest.mark.parametrize("state", ["", "sleeping", "ONLINE"])
def test_an_unknown_state_is_refused(state: str) -> None:
    """Presence rests on three words."""
    status = {k: GOOD[k] for k in ("v", "sender", "run", "session", "agent")} | {"at": GOOD["sent"], "state": state}
    with pytest.raises(ContractError):
        decode_status(json.dumps(status).encode())


@pytest.mark.parametrize(
    "runs",
    [[1], [{"stored": []}], [{"run": "0" * 8}], [{"run": "0" * 8, "stored": [[1]]}],
     [{"run": "0" * 8, "stored": [[1, "2"]]}], [{"run": "0" * 8, "stored": [], "refused": [["a", 1]]}]],
)  # fmt: skip
def test_a_broken_receipt_is_refused(runs: list[Any]) -> None:
    """A spool must not forget on a guess."""
    with pytest.raises(ContractError):
        decode_receipt(json.dumps({"v": 1, "kind": "receipt", "runs": runs}).encode())


def test_nothing_that_is_not_json_is_ever_written() -> None:
    """NaN would be refused by every reader, so the writer refuses it first."""
    envelope, _ = decode_live(json.dumps(GOOD).encode())
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode_backfill("pc-abc", [envelope], Transit("1" * 16, Instant(float("nan"), 0)))


def test_load_gives_the_object() -> None:
    """The door through which every message comes in."""
    assert load(b'{"v":1,"a":[]}') == {"v": 1, "a": []}
