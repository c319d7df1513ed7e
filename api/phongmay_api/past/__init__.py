"""Verdicts as they stood at a past instant, as known at another."""
