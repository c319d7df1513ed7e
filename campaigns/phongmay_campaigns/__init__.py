"""Campaigns of concurrent bandwidth tests: when and whom to test, orders through the outbox, runs to their verdicts."""
