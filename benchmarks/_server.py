"""A small server for benchmarks: a register with enrolled senders, the settings file for it, broker and collector.

`lay_out` only writes the files, with one school; `Served` provisions schools of 50 PCs and runs the real broker and the
real collector as processes until it is left. What does not start raises OperatorError with the end of its log.
"""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType

from sqlalchemy.orm import Session

from phongmay.demo.processes import Children, free_port, wait_for_port
from phongmay_contract.errors import OperatorError
from phongmay_simulate import population, provisioning
from phongmay_simulate.enrolling import Identity
from phongmay_store.register.base import utc_now
from phongmay_store.register.engine import migrate, open_register
from phongmay_store.register.enrolment import enrol, make_token
from phongmay_store.register.organisation import Unit

_PATIENCE_S = 60.0
_PCS_A_SCHOOL = 50


def lay_out(folder: Path, port: int, senders: int) -> tuple[Path, list[Identity]]:
    """Write settings and register into an empty folder; give the settings file and the senders' identities."""
    config, register_url = _write_settings(folder, port, "")
    engine = open_register(register_url)
    migrate(engine)
    with Session(engine) as session:
        session.add(Unit(id="school-bench", valid_from=utc_now(), kind="school", name="Bench", level="thcs"))
        token = make_token(session, "school-bench", uses=senders)
        found = [enrol(session, token) for _ in range(senders)]
        session.commit()
    engine.dispose()
    return config, [Identity(one.device_id, one.secret, "127.0.0.1", port) for one in found]


def _write_settings(folder: Path, port: int, extra: str) -> tuple[Path, str]:
    config, register_url = folder / "phongmay.toml", f"sqlite:///{folder}/register.db"
    config.write_text(
        f'[store]\nregister_url = "{register_url}"\nseries_path = "{folder}/series.db"\n{extra}'
        f'[broker]\nport = {port}\ndirectory = "{folder}/broker"\n',
        "utf-8",
    )
    return config, register_url


class Served:
    """Broker and collector as processes, with `devices` PCs that are enrolled; all end when it is left.

    Args:
        folder: an empty folder.
        devices: PCs to enrol, by fifties.
        store: further lines of [store], and further tables.
    """

    def __init__(self, folder: Path, devices: int, store: str) -> None:
        self._folder = folder
        self._children = Children(folder)
        port = free_port()
        self.config, register_url = _write_settings(folder, port, store)
        engine = open_register(register_url)
        migrate(engine)
        people = population.build(
            seed=1, schools=devices // _PCS_A_SCHOOL, pcs=_PCS_A_SCHOOL, faults=False, gateways=False
        )
        self.identities = list(provisioning.provision(engine, people, ("127.0.0.1", port)).values())
        engine.dispose()
        self._port = port
        self.broker_pid = self.collector_pid = 0

    def __enter__(self) -> Served:
        """Start both, and wait until the collector has subscribed: what comes earlier, the broker drops."""
        try:
            command = ["phongmay", "--config", str(self.config)]
            self.broker_pid = self._children.start("broker", [*command, "broker", "run"]).process.pid
            wait_for_port(self._port, self._children)
            self.collector_pid = self._children.start("collector", [*command, "collector", "run"]).process.pid
            end = time.monotonic() + _PATIENCE_S
            while (self._folder / "collector.log").read_text("utf-8").count(" connected user=") < 2:
                self._children.check()
                if time.monotonic() > end:
                    raise OperatorError("the collector does not connect")
                time.sleep(0.1)
            time.sleep(1.5)  # until a marker has come round
        except BaseException:
            self._children.stop_all()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End both."""
        self._children.stop_all()
