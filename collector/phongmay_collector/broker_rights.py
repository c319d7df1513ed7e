"""The generated password file and ACL as the embedded broker reads them: the same files that Mosquitto gets.

In: user, password, topic. Out: yes or no. Files are read again when they change; what cannot be read allows nothing.
Only the forms that `broker_files` writes are understood, and any other line refuses to load.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from phongmay_collector.broker_files import BrokerFiles
from phongmay_contract.errors import OperatorError
from phongmay_store.register.enrolment import broker_hash_matches

_ACCESS = {"read": (True, False), "write": (False, True), "readwrite": (True, True)}


class Rule(NamedTuple):
    """One line of the ACL; `user` is None in a pattern, where %u stands for whoever asks."""

    user: str | None
    read: bool
    write: bool
    topic: tuple[str, ...]


class Rights:
    """Who is who, and who may do what."""

    def __init__(self, files: BrokerFiles) -> None:
        self._files = files
        self._stamp: object = None
        self._users: dict[str, str] = {}
        self._rules: list[Rule] = []

    def is_user(self, user: str | None, password: str | None) -> bool:
        """Tell whether the password is this user's."""
        self._refresh()
        return user is not None and password is not None and broker_hash_matches(password, self._users.get(user, ""))

    def may_publish(self, user: str, topic: str) -> bool:
        """Tell whether a user may publish under a topic."""
        return any(rule.write for rule in self._of(user, topic))

    def may_receive(self, user: str, topic: str) -> bool:
        """Tell whether a user may be given a message of a topic, or subscribe to a filter ('+' must be granted)."""
        return any(rule.read for rule in self._of(user, topic))

    def _of(self, user: str, topic: str) -> list[Rule]:
        levels = tuple(topic.split("/"))
        return [rule for rule in self._rules if rule.user in (None, user) and _covers(rule.topic, levels, user)]

    def _refresh(self) -> None:
        stamp = tuple(_stamp(path) for path in (self._files.passwords, self._files.acl))
        if stamp != self._stamp:
            self._users = dict(line.split(":", 1) for line in _lines(self._files.passwords))
            self._rules = parse_acl(_lines(self._files.acl))
            self._stamp = stamp


def parse_acl(lines: list[str]) -> list[Rule]:
    """Read the lines of an ACL.

    Raises:
        OperatorError: a line has a form that we do not write.
    """
    rules = []
    user = ""
    for line in lines:
        match line.split(" "):
            case ["user", name]:
                user = name
            case ["topic", access, topic] if access in _ACCESS and user:
                rules.append(Rule(user, *_ACCESS[access], tuple(topic.split("/"))))
            case ["pattern", access, topic] if access in _ACCESS:
                rules.append(Rule(None, *_ACCESS[access], tuple(topic.split("/"))))
            case _:
                raise OperatorError(f"acl: {line!r} is not understood; run 'phongmay broker files' to write it anew")
    return rules


def _covers(rule: tuple[str, ...], levels: tuple[str, ...], user: str) -> bool:
    """Match a topic against a rule; a '+' in a filter is a level like others, which only a '+' of the rule covers."""
    return len(rule) == len(levels) and all(
        level == user if wanted == "%u" else wanted == level or (wanted == "+" and level != "#")
        for wanted, level in zip(rule, levels, strict=True)
    )


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    except OSError:
        return []


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino
