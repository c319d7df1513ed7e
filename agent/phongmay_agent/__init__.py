"""Everything that a school PC runs: probes, spool, publisher."""

__version__ = "0.1.0"
"""Sent with every envelope. Equal to the distribution's version; written down here because reading package metadata
would cost every school PC memory for nothing."""
