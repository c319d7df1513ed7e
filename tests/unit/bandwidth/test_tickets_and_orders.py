"""Tickets, orders and plans: what is signed comes back, what is out of bounds is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from phongmay_bandwidth.admission import Admission
from phongmay_bandwidth.order import OrderError, RunKind, RunOrder
from phongmay_bandwidth.planning import PlanError, RunPlan, make_orders, streams_of
from phongmay_bandwidth.ticket import (
    KeyFileError,
    Purpose,
    Refusal,
    Ticket,
    TicketError,
    make_key,
    open_ticket,
    read_key,
    sign,
)

KEY, OTHER = b"k" * 32, b"o" * 32
NOW = 1_800_000_000.0


def ticket(**changes: Any) -> Ticket:
    """A good ticket, changed."""
    values: dict[str, Any] = {
        "run": "run-1234",
        "participant": "pc-001",
        "purpose": "down",
        "nonce": "n1",
        "issued": NOW,
        "expires": NOW + 120,
        "byte_cap": 1000,
    }
    return Ticket(**{**values, **changes})


def refusal(text: str, now: float = NOW, key: bytes = KEY) -> Refusal:
    """Why a ticket is not accepted."""
    with pytest.raises(TicketError) as caught:
        open_ticket(key, text, now)
    return caught.value.refusal


def test_a_ticket_comes_back_as_it_was() -> None:
    """Sign and open are each other's inverse, for every claim."""
    made = ticket(stream=3, kind="capacity", start=NOW + 5, rate_bps=2e6, run_byte_cap=7, tolerance=0.03)
    assert open_ticket(KEY, sign(KEY, made), NOW) == made


def test_forged_expired_early_and_long_lived_tickets_are_refused() -> None:
    """Each with its own reason."""
    assert refusal(sign(OTHER, ticket())) is Refusal.FORGED
    assert refusal(sign(KEY, ticket()), NOW + 121) is Refusal.EXPIRED
    assert refusal(sign(KEY, ticket()), NOW - 3) is Refusal.NOT_YET
    assert refusal(sign(KEY, ticket(expires=NOW + 121))) is Refusal.TOO_LONG


def test_one_changed_character_is_forged() -> None:
    """Nobody gives himself more bytes."""
    text = sign(KEY, ticket())
    for index in range(0, text.index("."), 7):
        changed = text[:index] + ("A" if text[index] != "A" else "B") + text[index + 1 :]
        assert refusal(changed) is Refusal.FORGED


@pytest.mark.parametrize("text", ["", ".", "a.b.c", "é.ü", "x" * 5000 + ".y", "\ud800.x"])
def test_garbage_is_refused_without_another_exception(text: str) -> None:
    """A stranger's first line never breaks the server."""
    assert refusal(text) in (Refusal.MALFORMED, Refusal.FORGED)


@pytest.mark.parametrize("claims", [{"purpose": "admin"}, {"byte_cap": -1}, {"rate_bps": 1e13}, {"stream": 99}])
def test_signed_claims_out_of_bounds_are_malformed(claims: dict[str, Any]) -> None:
    """Also the key holder's own mistakes are bounded."""
    assert refusal(sign(KEY, ticket(**claims))) is Refusal.MALFORMED


def test_a_ticket_is_used_once_and_never_after_a_restart() -> None:
    """Single use, also when the server that saw it is gone; limits do not use a ticket up."""
    text = sign(KEY, ticket())
    admission = Admission(KEY, 10, NOW - 1)
    with pytest.raises(TicketError, match="full"):
        admission.admit(text, NOW, 10)
    assert admission.admit(text, NOW, 9).nonce == "n1"
    with pytest.raises(TicketError, match="replayed"):
        admission.admit(text, NOW + 100, 0)
    with pytest.raises(TicketError, match="issued_before_server_start"):
        Admission(KEY, 10, NOW + 1).admit(text, NOW + 2, 0)
    assert admission.of_run("run-1234") == {"full": 1, "replayed": 1}


def test_a_key_file_is_made_once_and_read_by_its_owner(tmp_path: Path) -> None:
    """A second key would shut the other side out; a broken file names the remedy."""
    path = tmp_path / "keys" / "bandwidth.key"
    with pytest.raises(KeyFileError, match="new-key"):
        read_key(path)
    make_key(path)
    assert len(read_key(path)) == 32
    assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(KeyFileError, match="already"):
        make_key(path)
    path.write_text("abc")
    with pytest.raises(KeyFileError, match="64 hexadecimal"):
        read_key(path)


# ---- plans and orders ------------------------------------------------------------------------------------------------


def plan(**changes: Any) -> RunPlan:
    """A floor run, changed."""
    values: dict[str, Any] = {
        "run": "run-1234",
        "kind": RunKind.FLOOR,
        "host": "203.0.113.1",
        "port": 7800,
        "start": NOW + 20,
        "floor_down_bps": 2e6,
        "floor_up_bps": 1e6,
        "registered": 40,
    }
    return RunPlan(**{**values, **changes})


def test_orders_travel_and_come_back() -> None:
    """Body and order are each other's inverse; a newer coordinator's extra key does no harm."""
    devices = [f"pc-{number:03}" for number in range(40)]
    orders = make_orders(plan(), devices, KEY, NOW)
    assert sorted(orders) == devices
    for order in orders.values():
        assert RunOrder.from_body({**order.to_body(), "new_key": 1}) == order
        assert not order.emulated
        assert (order.pace_down_bps, order.pace_up_bps) == (2e6, 1e6)
    nonces = [
        open_ticket(KEY, text, NOW).nonce
        for order in orders.values()
        for text in (order.control, *order.down, *order.up)
    ]
    assert len(set(nonces)) == 120


def test_absent_pcs_are_emulated_by_the_present_ones() -> None:
    """32 of 40 pull the floor of 40, in order and ticket alike, and it is flagged."""
    order = make_orders(plan(), [f"pc-{number:03}" for number in range(32)], KEY, NOW)["pc-007"]
    assert order.emulated
    assert order.pace_down_bps == pytest.approx(2e6 * 40 / 32)
    claims = open_ticket(KEY, order.down[0], NOW)
    assert claims.rate_bps == order.pace_down_bps
    assert claims.byte_cap > claims.rate_bps / 8 * (claims.warmup_s + claims.window_max_s)


@pytest.mark.parametrize(
    ("participants", "streams"), [(1, 4), (7, 4), (8, 4), (9, 4), (16, 2), (31, 2), (32, 1), (100, 1)]
)
def test_few_pcs_use_more_streams(participants: int, streams: int) -> None:
    """clamp(ceil(32 / N), 1, 4) in a capacity run, one in a paced run."""
    assert streams_of(participants, RunKind.CAPACITY) == streams
    assert streams_of(participants, RunKind.FLOOR) == 1


@pytest.mark.parametrize(
    "changes",
    [{"start": NOW + 1}, {"start": NOW + 99}, {"floor_up_bps": 0.0}],
)
def test_a_plan_that_cannot_be_kept_is_refused(changes: dict[str, Any]) -> None:
    """Too soon, out of a ticket's life, or without a floor."""
    with pytest.raises(PlanError):
        make_orders(plan(**changes), ["pc-001"], KEY, NOW)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("port", 0),
        ("host", ""),
        ("run", "x"),
        ("kind", "flood"),
        ("down", []),
        ("down", ["t"] * 5),
        ("pace_down_bps", -1.0),
        ("pace_down_bps", float("nan")),
        ("byte_cap", "many"),
        ("start_up", NOW + 21),
        ("window_max_s", 1.0),
    ],
)
def test_an_order_out_of_bounds_is_refused(key: str, value: object) -> None:
    """A PC never starts what makes no sense."""
    body = make_orders(plan(), ["pc-001"], KEY, NOW)["pc-001"].to_body()
    with pytest.raises(OrderError):
        RunOrder.from_body({**body, key: value})


def test_the_directions_do_not_overlap() -> None:
    """Down and up are measured apart, with a rest between."""
    starts = plan(kind=RunKind.CAPACITY, window_max_s=12.0).starts()
    assert starts[Purpose.UP] - starts[Purpose.DOWN] > 2 + 12


def test_a_missing_key_names_itself() -> None:
    """The log of a PC says which key a coordinator forgot."""
    body = make_orders(plan(), ["pc-001"], KEY, NOW)["pc-001"].to_body()
    del body["control"]
    with pytest.raises(OrderError, match="'control'"):
        RunOrder.from_body(body)
