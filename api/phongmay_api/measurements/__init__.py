"""What was measured: newest values and stretches of time."""
