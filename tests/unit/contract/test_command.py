"""Signed commands: only the right key, for the right device, once, in time."""

from __future__ import annotations

import json

import pytest

from phongmay_contract.command import Command, CommandError, CommandGate, Order, Refusal, open_command, sign_command
from phongmay_contract.keys import command_key

KEY = command_key("a" * 64)
NOW = 1_800_000_000.0


def command(**changes: object) -> Command:
    """A good command, changed."""
    values: dict[str, object] = {
        "device": "pc-001",
        "order": Order.CAMPAIGN_ABORT,
        "nonce": "0123456789abcdef",
        "expires": NOW + 60,
        "body": {"run": "run-1234"},
    }
    return Command(**{**values, **changes})  # type: ignore[arg-type]


def refusal(payload: bytes, now: float | None = NOW, gate: CommandGate | None = None) -> Refusal:
    """Why a payload is not obeyed."""
    with pytest.raises(CommandError) as caught:
        (gate or CommandGate(KEY, "pc-001")).admit(payload, now)
    return caught.value.refusal


def test_a_signed_command_comes_back_as_it_was() -> None:
    """Sign and open are each other's inverse."""
    assert open_command(KEY, "pc-001", sign_command(KEY, command())) == command()


def test_another_key_or_a_changed_byte_is_forged() -> None:
    """The HMAC covers every byte of the order, and its key is this device's alone."""
    assert refusal(sign_command(command_key("b" * 64), command())) is Refusal.FORGED
    message = json.loads(sign_command(KEY, command()))
    message["signed"] = message["signed"].replace("run-1234", "run-1235")
    assert refusal(json.dumps(message).encode()) is Refusal.FORGED


def test_a_command_for_another_device_is_refused_even_with_the_right_key() -> None:
    """A cloned secret does not make one PC obey another's orders."""
    assert refusal(sign_command(KEY, command(device="pc-002"))) is Refusal.WRONG_DEVICE


@pytest.mark.parametrize("expires", [NOW, NOW - 1, NOW + 901])
def test_an_old_command_and_one_that_lives_too_long_are_refused(expires: float) -> None:
    """An expiry far ahead would let a nonce be replayed after it was forgotten."""
    assert refusal(sign_command(KEY, command(expires=expires))) is Refusal.EXPIRED


def test_the_second_sight_of_a_nonce_is_a_replay_and_counts() -> None:
    """Once obeyed, never again; each refusal is counted by its reason."""
    gate = CommandGate(KEY, "pc-001")
    payload = sign_command(KEY, command())
    assert gate.admit(payload, NOW).order is Order.CAMPAIGN_ABORT
    assert refusal(payload, gate=gate) is Refusal.REPLAYED
    assert refusal(payload, NOW + 61, gate) is Refusal.EXPIRED
    assert dict(gate.refused) == {Refusal.REPLAYED: 1, Refusal.EXPIRED: 1}


def test_without_the_true_time_nothing_is_obeyed() -> None:
    """A PC whose clock stands in 2009 cannot tell an old order from a new one."""
    assert refusal(sign_command(KEY, command()), None) is Refusal.NO_TIME


@pytest.mark.parametrize(
    "payload",
    [b"", b"[]", b'{"v":1}', b'{"v":1,"signed":"{}","mac":1}', b"\xff\xfe", b'{"v":2,"signed":"","mac":""}'],
)
def test_garbage_is_malformed(payload: bytes) -> None:
    """Whatever comes in, it is a counted refusal and no exception of another kind."""
    assert refusal(payload) is Refusal.MALFORMED


def test_a_signed_body_that_is_no_order_is_refused() -> None:
    """The key holder's own mistakes are refused as well."""
    assert refusal(sign_command(KEY, command(nonce="short"))) is Refusal.MALFORMED
    text = sign_command(KEY, command()).decode().replace("campaign_abort", "format_the_disk")
    assert refusal(text.encode()) is Refusal.FORGED
