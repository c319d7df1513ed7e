"""One hash chain a unit over runs, verdicts and decisions: written, verified, and its heads signed (ADR 6)."""
