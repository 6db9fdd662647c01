"""Kubernetes without Pulumi: apply, wait, digest, list and delete through the official client's connection."""
