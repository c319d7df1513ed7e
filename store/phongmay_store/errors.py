"""One error for everything a store can do wrong; its text is a sentence for a person, with the remedy."""

from phongmay_contract.errors import OperatorError


class StoreError(OperatorError):
    """A store cannot be opened, read or written; the message names file or key and what to do."""


class StoreRefused(StoreError):
    """A store answers, but will not take just this data, now or ever; it may take other data."""


class UnstorableTextError(StoreRefused):
    """A text holds a character that not every store can keep; whoever gave it must give another."""
