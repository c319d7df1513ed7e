"""What the broker is told: its settings, users and rights, generated into broker.directory.

In: settings, and the credentials of the register. Out: mosquitto.conf, `passwords` ($7$ lines), `acl`, and a password
file (mode 0600) for each of the collector's two users. A directory that cannot be written raises OperatorError. When
credentials change, `PasswordRefresh` writes `passwords` anew and tells a running Mosquitto by SIGHUP, which also throws
out a connected client whose credential was revoked. The embedded broker reads the same files. A certificate that cannot
be used raises OperatorError too.
"""

from __future__ import annotations

import os
import pwd
import secrets
import ssl
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from phongmay_collector.broker_watch import hang_up
from phongmay_collector.log import event
from phongmay_collector.members import BROKER_TOPICS, MOST, Member
from phongmay_collector.settings import BrokerSettings
from phongmay_contract import topics
from phongmay_contract.envelope import MAX_MESSAGE_BYTES
from phongmay_contract.errors import OperatorError
from phongmay_contract.topics import LIVE_KINDS, ROOT, Kind
from phongmay_store.errors import StoreError
from phongmay_store.register.device import Credential
from phongmay_store.register.enrolment import broker_hash, broker_hash_matches
from phongmay_store.register.failures import sentence

_COMPARE_S = 60.0
_UP_KINDS = (*LIVE_KINDS, Kind.BACKFILL)


@dataclass(frozen=True)
class BrokerFiles:
    """Where the generated files lie."""

    directory: Path

    @property
    def conf(self) -> Path:
        """Mosquitto's settings."""
        return self.directory / "mosquitto.conf"

    @property
    def passwords(self) -> Path:
        """One line a user: name, colon, hash."""
        return self.directory / "passwords"

    @property
    def acl(self) -> Path:
        """Who may publish and read what."""
        return self.directory / "acl"

    @property
    def pid(self) -> Path:
        """Process id of a running Mosquitto."""
        return self.directory / "mosquitto.pid"

    def own_password(self, user: str) -> Path:
        """File with the password of one of the collector's users."""
        return self.directory / f"{user}.password"

    def read_own_password(self, user: str) -> str:
        """Give the password of one of the collector's users.

        Raises:
            OperatorError: the files were never generated, or cannot be read.
        """
        path = self.own_password(user)
        try:
            return path.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise OperatorError(
                f"{path}: the collector's password cannot be read ({error}); run 'phongmay broker files' or "
                "'phongmay broker run' first, with the same broker.directory and as the same user"
            ) from error


def write_all(settings: BrokerSettings, engine: Engine) -> list[Path]:
    """Generate every file; the collector's passwords stay as they are once they exist.

    Raises:
        OperatorError: the directory cannot be written.
        StoreError: the register cannot be read.
    """
    return _write(settings, password_lines(engine))


def write_without_register(settings: BrokerSettings) -> list[Path]:
    """Generate every file while the register is away: the devices of the password file stay as they are.

    The running collector brings them up to date as soon as the register answers.

    Raises:
        OperatorError: the directory cannot be written, or there is no password file.
    """
    files = BrokerFiles(settings.directory)
    own = {f"{user}:" for user in own_users(MOST)}
    try:
        lines = files.passwords.read_text("utf-8").splitlines()
    except OSError as error:
        raise OperatorError(f"{files.passwords}: there is none to go on with ({error.strerror})") from error
    return _write(settings, [line for line in lines if line[: line.find(":") + 1] not in own])


def _write(settings: BrokerSettings, users: list[str]) -> list[Path]:
    files = BrokerFiles(settings.directory)
    _check_certificate(settings)
    try:
        files.directory.mkdir(parents=True, exist_ok=True)
        own = own_users(settings.collectors)
        for user in own:
            _make_password(files.own_password(user))
        _replace(files.conf, mosquitto_conf(settings, files))
        _replace(files.acl, acl(settings.collectors))
        _replace(files.passwords, _with_own_users(users, own, files))
    except OSError as error:
        raise OperatorError(
            f"broker.directory {files.directory}: cannot be written ({error.strerror}); give a directory that this "
            "user may write"
        ) from error
    return [files.conf, files.acl, files.passwords, *(files.own_password(user) for user in own)]


def mosquitto_conf(settings: BrokerSettings, files: BrokerFiles) -> str:
    """Write Mosquitto's settings; what is not set stands at its default, which we have read for 2.0."""
    folder = files.directory.resolve()
    # Started as root, Mosquitto would become the user 'mosquitto', who may not read these files.
    user = f"user {pwd.getpwuid(os.geteuid()).pw_name}\n" if os.geteuid() == 0 else ""
    # A device may not take the collector's session by claiming its client id; said of each listener anew.
    own = "use_username_as_clientid true"
    tls = ""
    if settings.tls_port:
        tls = f"""listener {settings.tls_port} {settings.tls_bind}
{own}
certfile {Path(settings.tls_certificate).resolve()}
keyfile {Path(settings.tls_key).resolve()}
tls_version tlsv1.2
"""
    return f"""# Generated by 'phongmay broker files' from phongmay.toml; changes here are overwritten.
{user}listener {settings.port} {settings.bind}
{own}
{tls}allow_anonymous false
password_file {folder}/{files.passwords.name}
acl_file {folder}/{files.acl.name}
pid_file {folder}/{files.pid.name}
persistence true
persistence_location {folder}/
autosave_interval 60
persistent_client_expiration 7d
# The defaults (20 in flight, 1000 queued) stall a batch and drop messages without a word.
max_inflight_messages {settings.max_inflight_messages}
max_queued_messages 0
max_queued_bytes {settings.queue_mib * 1024 * 1024}
# The longest message of the contract, four times over: what is too long shall reach the dead letters.
max_packet_size {MAX_MESSAGE_BYTES * 4}
set_tcp_nodelay true
log_dest stderr
log_type error
log_type warning
log_type notice
connection_messages false
"""


def _check_certificate(settings: BrokerSettings) -> None:
    """Make sure that Mosquitto can speak TLS; its own word on it names no key of ours."""
    if not settings.tls_port:
        return
    for key in ("tls_certificate", "tls_key"):
        path = getattr(settings, key)
        if not path:
            raise OperatorError(f"broker.tls_port is {settings.tls_port}, but broker.{key} is empty; give its file")
        try:
            Path(path).read_bytes()
        except OSError as error:
            raise OperatorError(
                f"broker.{key} {path}: cannot be read ({error.strerror}); give a file that this user may read"
            ) from error
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            settings.tls_certificate, settings.tls_key, password=lambda: b""
        )
    except (OSError, ValueError) as error:  # SSLError is an OSError
        raise OperatorError(
            f"broker.tls_certificate {settings.tls_certificate} and broker.tls_key {settings.tls_key} cannot be used "
            f"together ({getattr(error, 'reason', None) or error}); give a certificate and its own key, both in PEM"
        ) from error


def own_users(collectors: int) -> list[str]:
    """Give the users of so many collectors."""
    members = [Member(number) for number in range(1, collectors + 1)]
    return [user for member in members for user in (member.live_user, member.past_user)]


def acl(collectors: int = 1) -> str:
    """Write the rights: a device publishes and reads under its own name only; the collectors hear all and answer."""
    lines = ["# Generated by 'phongmay broker files'; changes here are overwritten."]
    for number in range(1, collectors + 1):
        member = Member(number)
        lines += [f"user {member.live_user}"]
        lines += [f"topic read {topics.subscription(kind)}" for kind in LIVE_KINDS]
        lines += [f"topic read {topic}" for topic in BROKER_TOPICS]
        lines += [f"topic write {topics.subscription(kind)}" for kind in (Kind.RECEIPT, Kind.COMMAND)]
        lines += [f"topic readwrite {member.marker}", ""]
        lines += [f"user {member.past_user}", f"topic read {topics.subscription(Kind.BACKFILL)}", ""]
    lines += ["# Every other user is a device; %u is its name."]
    lines += [f"pattern write {ROOT}/%u/{kind}" for kind in _UP_KINDS]
    lines += [f"pattern read {ROOT}/%u/{kind}" for kind in (Kind.COMMAND, Kind.RECEIPT)]
    return "\n".join(lines) + "\n"


def password_lines(engine: Engine) -> list[str]:
    """Give the password file's lines of all devices whose credential is not revoked.

    Raises:
        StoreError: the register cannot be read.
    """
    query = select(Credential.device_id, Credential.broker_hash).where(Credential.revoked_at.is_(None))
    try:
        with engine.connect() as connection:
            rows = connection.execute(query.order_by(Credential.device_id)).all()
    except SQLAlchemyError as error:
        raise StoreError(f"register cannot be read: {sentence(error)}") from error
    return [f"{row.device_id}:{row.broker_hash}" for row in rows if row.device_id not in _RESERVED]


_RESERVED = frozenset(own_users(MOST))
"""Names that no device may have at the broker."""


class PasswordRefresh:
    """Keeps the password file in step with the register; asks one small question a call while nothing changes."""

    def __init__(self, settings: BrokerSettings, engine: Engine) -> None:
        self._files = BrokerFiles(settings.directory)
        self._own = own_users(settings.collectors)
        self._engine = engine
        self._state: object = None
        self._compare_at = 0.0

    def refresh(self, now: float) -> bool:
        """Write the file and tell the broker, if credentials changed since the last call.

        Args:
            now: monotonic time; every minute the whole file is compared, whatever the small question says.

        Returns:
            Whether the file changed.

        Raises:
            StoreError: the register cannot be read.
            OperatorError: the file cannot be written.
        """
        if not self._files.conf.exists():
            return False  # the broker, and so its files, are on another machine
        state = self._present_state()
        if state == self._state and now < self._compare_at:
            return False
        try:
            content = _with_own_users(password_lines(self._engine), self._own, self._files)
            changed = not self._files.passwords.exists() or self._files.passwords.read_text("utf-8") != content
            if changed:
                _replace(self._files.passwords, content)
                event("passwords_written", users=content.count("\n"), broker_told=hang_up(self._files.pid))
        except OSError as error:
            raise OperatorError(f"{self._files.passwords}: cannot be written ({error.strerror})") from error
        self._state = state
        self._compare_at = now + _COMPARE_S
        return changed

    def _present_state(self) -> object:
        query = select(
            func.count(Credential.device_id),
            func.max(Credential.created_at),
            func.count(Credential.revoked_at),
            func.max(Credential.revoked_at),
        )
        try:
            with self._engine.connect() as connection:
                return tuple(connection.execute(query).one())
        except SQLAlchemyError as error:
            raise StoreError(f"register cannot be read: {sentence(error)}") from error


def _with_own_users(lines: list[str], users: list[str], files: BrokerFiles) -> str:
    """Add the collector's own users; their lines are kept while they fit, so that the file changes only when needed."""
    there: dict[str, str] = {}
    if files.passwords.exists():
        there = dict(line.split(":", 1) for line in files.passwords.read_text("utf-8").splitlines() if ":" in line)
    own = []
    for user in users:
        password = files.read_own_password(user)
        kept = there.get(user, "")
        own.append(f"{user}:{kept if broker_hash_matches(password, kept) else broker_hash(password)}")
    return "\n".join([*own, *lines]) + "\n"


def _make_password(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32) + "\n")


def _replace(path: Path, content: str) -> None:
    """Write a file as a whole or not at all, readable by this user only."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
