"""The names of `aiga.names`, which `aiga.step` needs without the models, where the models' readers look for them."""

from __future__ import annotations

from aiga.names import *  # noqa: F403 - every name of that module stands here too
