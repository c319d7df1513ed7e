"""Lays out a demo's data folder: settings file, register with the sample district, accounts, keys, enrolment tokens.

An empty folder goes in; `Prepared` comes out, with everything that the demo prints or hands to its children. Passwords
and keys are made anew each time and stand nowhere but in `Prepared`.
"""

from __future__ import annotations

import json
import secrets
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from phongmay.settings import ServerSettings, load
from phongmay_api.access.accounts import add_account, add_key
from phongmay_rules.chain.links import append_row
from phongmay_simulate import district
from phongmay_simulate.lessons import hold_lessons, listen_before
from phongmay_store.register.access import Role
from phongmay_store.register.chain import LinkKind
from phongmay_store.register.compliance import Parameter
from phongmay_store.register.engine import migrate, open_register
from phongmay_store.register.enrolment import make_token
from phongmay_store.register.importing import import_files
from phongmay_store.register.organisation import find_external
from phongmay_store.series import open_writer

INTERVAL_S = 3.0
"""Between rounds of the demo's machines; 60 in a school."""
STALE_AFTER_S = 10.0
"""The demo's own district setting for TB-09, so that silence shows while one looks; 900 in a school."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """An account of the demo."""

    login: str
    password: str
    where: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the demo needs to go on."""

    config: Path
    settings: ServerSettings
    engine: Engine
    district_id: str
    accounts: tuple[SignIn, ...]
    keys: tuple[SignIn, ...]
    tokens_file: Path
    real_token: str
    made_at: datetime
    seed: int


def prepare(folder: Path, *, seed: int, api_port: int, broker_port: int) -> Prepared:
    """Fill an empty folder."""
    made_at = datetime.now(UTC)
    config = folder / "phongmay.toml"
    config.write_text(settings_text(folder, api_port, broker_port), "utf-8")
    settings = load(config)
    engine = open_register(settings.store.register_url)
    migrate(engine)
    files = folder / "sample"
    files.mkdir()
    settings.store.attachments_path.mkdir()
    paths = district.write_files(district.build(seed, made_at), files, with_real_pc=True)
    with Session(engine) as session:
        result = import_files(session, paths, sample=True, by="phongmay demo")
        if result.errors:
            raise RuntimeError(f"the sample district does not import: {result.errors[0]}")
        session.flush()
        top = _unit(session, district.DISTRICT)
        school = _unit(session, f"{district.ISSUER}:truong-2")
        accounts = (
            _account(session, "quan", top, Role.OFFICER, "district officer"),
            _account(session, "truong2", school, Role.TECHNICIAN, "technician of school no. 2"),
        )
        keys = (
            SignIn("district", add_key(session, "demo district", top, Role.OFFICER)[1], "reads the whole district"),
            SignIn("school", add_key(session, "demo school", school, Role.VIEWER)[1], "reads school no. 2 only"),
        )
        append_row(
            session,
            LinkKind.PARAMETER,
            top,
            Parameter(
                unit_id=top,
                pack_id="operations",
                name="stale_after",
                value=STALE_AFTER_S,
                set_by="demo",
                reason="sample: silence shows while one looks",
            ),
        )
        hold_lessons(session, top, made_at)
        tokens, real_token = _tokens(session)
        session.commit()
    with closing(open_writer(settings.store)) as series:
        listen_before(series, made_at)
    tokens_file = folder / "tokens.json"
    tokens_file.write_text(json.dumps(tokens), "utf-8")
    return Prepared(config, settings, engine, top, accounts, keys, tokens_file, real_token, made_at, seed)


def settings_text(folder: Path, api_port: int, broker_port: int) -> str:
    """Give the settings file of a demo: all that its commands write lies in its folder."""
    return f"""# Settings of a demo, made by `phongmay demo`.
[store]
register_url = "sqlite:///{folder / "register.db"}"
series_path = "{folder / "series.db"}"
attachments_path = "{folder / "attachments"}"

[broker]
port = {broker_port}
directory = "{folder / "broker"}"

[rules]
interval_s = 2
recount_s = 0
key_file = "{folder / "heads.key"}"
heads_file = "{folder / "heads.jsonl"}"

[bandwidth]
key_file = "{folder / "bandwidth.key"}"

[api]
port = {api_port}
broker_port = {broker_port}
"""


def agent_settings_text(folder: Path, api_port: int, internet: str) -> str:
    """Give the settings file of this machine's own agent: it asks nobody but this demo, unless told to."""
    return f"""# Settings of this machine's agent in a demo, made by `phongmay demo`.
identity_file = "{folder / "agent-identity.json"}"
spool_file = "{folder / "agent-spool.db"}"
interval_s = {INTERVAL_S}

[reach]
gateway = "off"
dns = "off"
district = "http://127.0.0.1:{api_port}/health"
internet = "{internet or "off"}"
"""


def _unit(session: Session, external: str) -> str:
    issuer, _, value = external.partition(":")
    found = find_external(session, issuer, value)
    if found is None:
        raise RuntimeError(f"the sample district has no unit {external}")
    return found


def _account(session: Session, login: str, unit_id: str, role: Role, where: str) -> SignIn:
    password = secrets.token_urlsafe(9)
    add_account(session, login, password, unit_id, role)
    return SignIn(login, password, where)


def _tokens(session: Session) -> tuple[dict[str, str], str]:
    """Make one enrolment token a school: for the simulated machines by external id, and for the real one."""
    tokens = {
        school.external_id: make_token(session, _unit(session, school.external_id), uses=100)
        for school in district.build(0, datetime.now(UTC)).schools
    }
    return tokens, make_token(session, _unit(session, district.REAL_SCHOOL), uses=1)
