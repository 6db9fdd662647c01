"""A real API server on one machine with simulated nodes: what aiga deploys to when there is no cluster."""

from simulator.cluster import Running, Status, down, pretended, status, up
from simulator.errors import SimulatorError

__all__ = ["Running", "SimulatorError", "Status", "down", "pretended", "status", "up"]
