"""Boards for Grafana: their definition, the files that Grafana reads, and the status series that they show."""
