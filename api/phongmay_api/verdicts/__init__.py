"""Verdicts with their evidence."""
