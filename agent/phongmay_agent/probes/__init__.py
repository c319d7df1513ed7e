"""What is measured on this machine, one file a probe. To add one: write its file, then its line in `build`."""

from __future__ import annotations

NAMES = ("hardware", "usage", "link", "traffic", "reach", "state", "router")
"""Every probe, in the order in which they run."""
