"""Stand-ins for the upstream charts and manifests, for machines that reach no chart repository.

Each has the name, version, custom resource definitions and objects of what it stands for, generated from the tables in
`tables/`; its containers do nothing on simulated nodes. Every object carries `aiga.dev/simulated: "true"`.
"""

from simulator.standins.crds import REMEDY
from simulator.standins.crds import folder as true_definitions
from simulator.standins.output import LOCK, StandinError, build
from simulator.standins.render import missing
from simulator.standins.vendored import completed, label

__all__ = ["LOCK", "REMEDY", "StandinError", "build", "completed", "label", "missing", "true_definitions"]
