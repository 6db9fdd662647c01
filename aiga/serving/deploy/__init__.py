"""Brings a project's model to life on this machine: which versions, their servers, and the gateway before them."""
