"""Who asks, what they may do, and where: principals, permissions, scopes."""
