"""Serves a project on this machine with the addresses, protocols, events and metrics that a cluster gives it."""
