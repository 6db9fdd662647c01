"""Secrets of a project: where their values come from on this machine, and how they are sealed for a cluster."""
