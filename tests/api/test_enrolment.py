"""Enrolment over HTTP: a technician makes a token, machines turn it into identities, guessing is slow."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from fastapi.testclient import TestClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from phongmay_agent.identity import parse_enrolment
from phongmay_api.app import create_app
from phongmay_api.settings import ApiSettings
from phongmay_contract import keys
from phongmay_contract.units import MIB
from phongmay_rules.model import Pack
from phongmay_store.attachments import AttachmentFolder
from phongmay_store.register.access import Role
from phongmay_store.register.device import Credential, EnrolmentToken
from phongmay_store.register.enrolment import broker_hash_matches, make_token
from phongmay_store.series import readers
from phongmay_store.settings import StoreSettings
from tests.certificates import Authority

OWN, SIBLING = "zz-own-zz", "zz-sibling-zz"
Key = Callable[..., dict[str, str]]


def _token(client: TestClient, headers: dict[str, str], **more: object) -> str:
    answer = client.post("/api/v1/enrolment-tokens", json={"unit": f"unit-{OWN}", **more}, headers=headers)
    assert answer.status_code == 201, answer.text
    text: str = answer.json()["token"]
    return text


def test_from_token_to_identity(client: TestClient, key: Key, register: Engine) -> None:
    """A technician's token gives a machine its id, its secret and the broker's address; the broker knows its hash."""
    headers = key(Role.TECHNICIAN)
    answer = client.post("/api/v1/enrolments", json={"token": _token(client, headers, room=f"room-{OWN}")})
    assert answer.status_code == 201
    identity = answer.json()
    assert identity["broker"] == {"host": "broker.example", "port": 8883, "ca": ""}
    with Session(register) as session:
        credential = session.get(Credential, identity["device_id"])
        assert credential is not None
        assert broker_hash_matches(keys.mqtt_password(identity["secret"]), credential.broker_hash)
    device = client.get(f"/api/v1/devices/{identity['device_id']}", headers=headers).json()
    assert (device["unit_id"], device["room_id"]) == (f"unit-{OWN}", f"room-{OWN}")


def test_a_machine_learns_at_enrolment_whom_to_trust(
    register: Engine, series_path: Path, pack: Pack, key: Key, tmp_path: Path
) -> None:
    """The certificates of api.broker_ca_file go out with the identity; the agent speaks TLS with that CA alone."""
    ca = Authority(tmp_path, "authority").file
    settings = ApiSettings(broker_host="broker.example", broker_port=8883, broker_ca_file=str(ca))
    folder = AttachmentFolder(tmp_path, MIB)
    app = create_app(settings, register, readers(StoreSettings(series_path=series_path)), pack, folder)
    client = TestClient(app)
    answer = client.post("/api/v1/enrolments", json={"token": _token(client, key(Role.TECHNICIAN))})
    assert answer.json()["broker"]["ca"] == ca.read_text()
    assert parse_enrolment(answer.json(), "").broker_ca == ca.read_text()


def test_enrolment_by_inventory_code(client: TestClient, key: Key) -> None:
    """A code finds the registered device; a second machine with it, or a code of nobody, is refused."""
    token = _token(client, key(Role.OFFICER))
    asked = {"token": token, "code": f"ma-{OWN}", "fingerprint": "ab" * 16}
    assert client.post("/api/v1/enrolments", json=asked).json()["device_id"] == f"pc-{OWN}"
    again = client.post("/api/v1/enrolments", json=asked)
    assert (again.status_code, again.json()["type"]) == (409, "urn:phongmay:problem:already_enrolled")
    other = client.post("/api/v1/enrolments", json=asked | {"code": f"ma-{SIBLING}"})
    assert (other.status_code, other.json()["type"]) == (404, "urn:phongmay:problem:unknown_code")


def test_tokens_that_do_not_serve(client: TestClient, register: Engine) -> None:
    """Unknown, ended and used-up tokens are refused with a reason of their own."""
    with Session(register) as session:
        ended = make_token(session, f"unit-{OWN}", valid=timedelta(seconds=-1))
        used = make_token(session, f"unit-{OWN}", uses=0)
        session.commit()
    for token, code in (("pm-x", "bad_token"), (ended, "expired_token"), (used, "used_token")):
        answer = client.post("/api/v1/enrolments", json={"token": token})
        assert (answer.status_code, answer.json()["type"]) == (403, f"urn:phongmay:problem:{code}")


def test_a_whole_room_at_once(client: TestClient, key: Key, register: Engine) -> None:
    """30 machines in the same moment on a token of 20 uses: exactly 20 get an identity, and none is lost."""
    token = _token(client, key(Role.ADMIN), uses=20)
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: client.post("/api/v1/enrolments", json={"token": token}), range(30)))
    assert sorted(answer.status_code for answer in answers) == [201] * 20 + [403] * 10
    assert len({answer.json()["device_id"] for answer in answers if answer.status_code == 201}) == 20
    with Session(register) as session:
        assert session.scalars(select(EnrolmentToken.uses_left)).all() == [0]


def test_guessing_tokens_is_throttled(client: TestClient, key: Key) -> None:
    """After 100 wrong tokens in a row an address must wait, and is told how long."""
    codes = [client.post("/api/v1/enrolments", json={"token": "pm-guess"}).status_code for _ in range(101)]
    assert codes == [403] * 100 + [429]
    answer = client.post("/api/v1/enrolments", json={"token": "pm-guess"})
    assert int(answer.headers["retry-after"]) > 0


def test_token_only_for_a_school_and_its_room(client: TestClient, key: Key) -> None:
    """Devices belong to schools: no token for a district, nor for a room of another school."""
    headers = key(Role.ADMIN, "parent")
    district = client.post("/api/v1/enrolment-tokens", json={"unit": "unit-zz-parent-zz"}, headers=headers)
    assert district.status_code == 422
    room = {"unit": f"unit-{OWN}", "room": f"room-{SIBLING}"}
    assert client.post("/api/v1/enrolment-tokens", json=room, headers=headers).status_code == 404
    misspelt = {"unit": f"unit-{OWN}", "room_id": f"room-{OWN}"}
    assert client.post("/api/v1/enrolment-tokens", json=misspelt, headers=headers).status_code == 422
