"""One error for a rule pack that cannot be used; its text names file, key and what was expected."""

from phongmay_contract.errors import OperatorError


class PackError(OperatorError):
    """A rule pack is missing, misspelt or contradicts itself."""
