"""The closed set of checks; each is a pure function from facts, members and parameters to an `Outcome`."""
