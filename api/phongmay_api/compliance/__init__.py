"""Shares of verdicts per school and district, as JSON and CSV."""
