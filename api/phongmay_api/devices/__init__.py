"""Devices, their seats and whether they are heard of."""
