"""Waivers, attestations and disputes over HTTP."""
