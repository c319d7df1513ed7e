"""Seeded fleets of real MQTT connections that know their own expected verdicts."""
