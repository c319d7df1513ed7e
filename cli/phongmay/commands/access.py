"""`phongmay access`: accounts for people and API keys for programs, each with a role on an organisation unit.

A password comes from a prompt or a file, never from the command line, where every user of the machine could read it.
A key's text is printed once and stored nowhere.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from phongmay.commands import Commands
from phongmay.settings import load
from phongmay_api.access.accounts import add_account, add_key, disable_account, revoke_key
from phongmay_contract.errors import OperatorError
from phongmay_store.register.access import Account, ApiKey, Grant, Role
from phongmay_store.register.base import utc_now
from phongmay_store.register.engine import open_register, require_current
from phongmay_store.register.organisation import Unit, find_external


def add(commands: Commands) -> None:
    """Declare the verb."""
    verb = commands.add_parser("access", help="accounts and API keys")
    actions = verb.add_subparsers(required=True, metavar="ACTION")

    user = actions.add_parser("user", help="accounts of people").add_subparsers(required=True, metavar="ACTION")
    # No abbreviations: "--password x" must not be taken for the start of "--password-file".
    action = user.add_parser("add", help="make an account", allow_abbrev=False)
    action.add_argument("login", metavar="LOGIN", help="name to sign in with, chosen by the organisation; no person's")
    _add_place(action)
    action.add_argument("--password-file", type=Path, help="file whose first line is the password (default: ask)")
    action.set_defaults(run=_add_user)
    action = user.add_parser("disable", help="end an account and its sessions")
    action.add_argument("login", metavar="LOGIN", help="login to end")
    action.set_defaults(run=_disable_user)

    keys = actions.add_parser("key", help="API keys of programs").add_subparsers(required=True, metavar="ACTION")
    action = keys.add_parser("add", help="make a key and print it once")
    action.add_argument("label", metavar="LABEL", help="what the key is for")
    _add_place(action)
    action.add_argument("--days", type=_days, default=365, help="days until it ends (default: %(default)s)")
    action.set_defaults(run=_add_key)
    action = keys.add_parser("revoke", help="end a key at once")
    action.add_argument("key", metavar="KEY_ID", help="id of the key, as 'phongmay access list' shows it")
    action.set_defaults(run=_revoke_key)

    action = actions.add_parser("list", help="all accounts and keys with their roles")
    action.set_defaults(run=_list)


def _add_place(action: argparse.ArgumentParser) -> None:
    roles = [role.value for role in Role]
    action.add_argument("--unit", required=True, metavar="ID", help="organisation unit: its id, or issuer:value")
    action.add_argument("--role", required=True, choices=roles, help="what is allowed there and below")


def _days(text: str) -> int:
    days = int(text)
    if not 1 <= days <= 3660:
        raise argparse.ArgumentTypeError(f"{text} is not from 1 to 3660")
    return days


@contextmanager
def _register(config: Path) -> Iterator[Session]:
    engine = open_register(load(config).store.register_url)
    require_current(engine)
    with Session(engine) as session:
        yield session
    engine.dispose()


def _unit(session: Session, text: str) -> str:
    """Find a unit by its own id or by its id in another system."""
    issuer, colon, value = text.partition(":")
    found = find_external(session, issuer, value) if colon else text
    if found is None:
        raise OperatorError(f"--unit {text}: no organisation unit has this id; import it first or give another")
    return found


def _password(file: Path | None) -> str:
    if file is not None:
        try:
            return file.read_text("utf-8").split("\n", 1)[0].rstrip("\r")
        except (OSError, UnicodeDecodeError) as error:
            raise OperatorError(f"--password-file {file} cannot be read ({error}); give a readable file") from error
    if not sys.stdin.isatty():
        raise OperatorError("there is no terminal to ask for the password; give it with --password-file FILE")
    first, second = getpass.getpass("Password: "), getpass.getpass("Again: ")
    if first != second:
        raise OperatorError("the two passwords differ; nothing was made")
    return first


def _add_user(args: argparse.Namespace) -> int:
    with _register(args.config) as session:
        unit = _unit(session, args.unit)
        add_account(session, args.login, _password(args.password_file), unit, Role(args.role))
        session.commit()
    print(f"account {args.login} is {args.role} of {unit}")
    return 0


def _disable_user(args: argparse.Namespace) -> int:
    with _register(args.config) as session:
        disable_account(session, args.login)
        session.commit()
    print(f"account {args.login} is ended")
    return 0


def _add_key(args: argparse.Namespace) -> int:
    with _register(args.config) as session:
        unit = _unit(session, args.unit)
        key_id, text = add_key(session, args.label, unit, Role(args.role), timedelta(days=args.days))
        session.commit()
    print(f"key {key_id} is {args.role} of {unit} for {args.days} days; it is shown only now:", file=sys.stderr)
    print(text)
    return 0


def _revoke_key(args: argparse.Namespace) -> int:
    with _register(args.config) as session:
        revoke_key(session, args.key)
        session.commit()
    print(f"key {args.key} is ended")
    return 0


def _list(args: argparse.Namespace) -> int:
    with _register(args.config) as session:
        names = {unit.id: unit.name for unit in session.scalars(Unit.at())}
        lines = []
        for account in session.scalars(select(Account).order_by(Account.login)):
            for grant in session.scalars(select(Grant).where(Grant.account_id == account.id)):
                state = "ended" if account.disabled_at else "active"
                lines.append(("account", account.login, grant.role, names.get(grant.unit_id, grant.unit_id), state))
        for key in session.scalars(select(ApiKey).order_by(ApiKey.created_at)):
            lines.append(("key", f"{key.id} {key.label}", key.role, names.get(key.unit_id, key.unit_id), _state(key)))
    for line in [("WHAT", "WHO", "ROLE", "UNIT", "STATE"), *lines]:
        print(f"{line[0]:8} {line[1]:32} {line[2]:11} {line[3]:34} {line[4]}")
    return 0


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is None:
        return "active, no end"
    return f"{'ended' if key.expires_at <= utc_now() else 'active until'} {key.expires_at:%Y-%m-%d %H:%M} UTC"
