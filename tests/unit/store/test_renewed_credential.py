"""A device whose credential was revoked can enrol again, and its new credential serves."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from sqlalchemy.orm import Session

from phongmay_contract.keys import mqtt_password
from phongmay_store.register.base import utc_now
from phongmay_store.register.device import Credential, Device, DeviceKind
from phongmay_store.register.engine import migrate, open_register
from phongmay_store.register.enrolment import broker_hash_matches, enrol, make_token


def test_enrolling_again_ends_the_revocation(tmp_path: Path) -> None:
    """A technician revokes so that the machine may enrol anew; it must not stay locked out of the broker."""
    engine = open_register(f"sqlite:///{tmp_path}/register.db")
    migrate(engine)
    with closing(Session(engine)) as session:
        session.add(Device(id="pc-one", valid_from=utc_now(), school_id="s", code="A", kind=DeviceKind.PC.value))
        token = make_token(session, "s")
        session.flush()
        first = enrol(session, token, code="A")
        session.get_one(Credential, "pc-one").revoked_at = utc_now()
        session.commit()
        second = enrol(session, token, code="A")
        session.commit()
        credential = session.get_one(Credential, "pc-one")
        assert credential.revoked_at is None
        assert broker_hash_matches(mqtt_password(second.secret), credential.broker_hash)
        assert not broker_hash_matches(mqtt_password(first.secret), credential.broker_hash)
    engine.dispose()
