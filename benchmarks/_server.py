"""A small server for benchmarks: a register with one school and enrolled senders, and the settings file for it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.orm import Session

from phongmay_simulate.enrolling import Identity
from phongmay_store.register.base import utc_now
from phongmay_store.register.engine import migrate, open_register
from phongmay_store.register.enrolment import enrol, make_token
from phongmay_store.register.organisation import Unit


def lay_out(folder: Path, port: int, senders: int, store: str = "") -> tuple[Path, list[Identity]]:
    """Write settings and register into an empty folder; give the settings file and the senders' identities.

    Args:
        folder: an empty folder.
        port: of the broker.
        senders: PCs to enrol.
        store: further lines of [store], and tables.
    """
    config = folder / "phongmay.toml"
    register_url = f"sqlite:///{folder}/register.db"
    config.write_text(
        f'[store]\nregister_url = "{register_url}"\nseries_path = "{folder}/series.db"\n{store}'
        f'[broker]\nport = {port}\ndirectory = "{folder}/broker"\n',
        "utf-8",
    )
    engine = open_register(register_url)
    migrate(engine)
    with Session(engine) as session:
        session.add(Unit(id="school-bench", valid_from=utc_now(), kind="school", name="Bench", level="thcs"))
        token = make_token(session, "school-bench", uses=senders)
        found = [enrol(session, token) for _ in range(senders)]
        session.commit()
    engine.dispose()
    return config, [Identity(one.device_id, one.secret, "127.0.0.1", port) for one in found]
