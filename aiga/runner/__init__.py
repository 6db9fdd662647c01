"""Runs a project on this machine: the same steps, layout and decisions as on a cluster."""
