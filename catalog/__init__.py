"""Reads all of it: observed and mapped events, the marketplace, dashboards."""
