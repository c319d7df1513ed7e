"""Packs of rules as data, facts, checks, and the verdicts with their evidence."""
