"""Everything that a school PC runs: probes, spool, publisher."""
