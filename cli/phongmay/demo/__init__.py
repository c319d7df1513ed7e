"""The demonstration: the whole house on loopback, filled by this machine's agent and by simulated ones."""
