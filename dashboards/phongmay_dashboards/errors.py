"""Errors of the boards."""

from __future__ import annotations

from phongmay_contract.errors import OperatorError


class DashboardError(OperatorError):
    """Something about the boards that a person can mend; the sentence says how."""
