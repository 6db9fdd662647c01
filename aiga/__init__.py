"""Machine-learning projects from one YAML file: on this machine, and unchanged on a cluster.

A step needs no import of this package. One that wants to may call `aiga.log(loss=0.3)` and
`aiga.output(threshold=0.5)`.
"""

from __future__ import annotations

from aiga.step.log import log, output

__all__ = ["log", "output"]
