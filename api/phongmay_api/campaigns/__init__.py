"""Campaigns of concurrent bandwidth tests and their runs over HTTP."""
