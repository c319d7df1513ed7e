"""Why a message is refused: one error class whose reason is a fixed code (counted, translated) plus a free detail."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """The closed list of reasons for which a message becomes a dead letter."""

    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    WRONG_VERSION = "wrong_version"
    MISSING_KEY = "missing_key"
    WRONG_TYPE = "wrong_type"
    BAD_VALUE = "bad_value"
    TOO_LARGE = "too_large"
    TOO_MANY_PARTS = "too_many_parts"
    BAD_TOPIC = "bad_topic"
    WRONG_SENDER = "wrong_sender"
    FOREIGN_SUBJECT = "foreign_subject"
    UNKNOWN_DEVICE = "unknown_device"
    READER_FAILED = "reader_failed"
    """Nothing is known to be wrong with it: a fault of the collector's own."""
    STORE_REFUSED = "store_refused"
    """Good by the contract, but the series store will not have it while it takes others."""


class ContractError(ValueError):
    """A message or topic that does not keep to the contract.

    Attributes:
        reason: code out of the closed list.
        detail: what exactly is wrong, naming the key (for a person).
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class OperatorError(Exception):
    """Something that a person can mend; the text is one clear sentence with file, key and remedy.

    Every command prints it as it is, without a traceback, and ends with exit code 2.
    """
