"""Facts: the few numbers that rules read, derived from series and register, one file a domain."""
