"""Search for a training step's parameters: suggestions, pruning and ranking by Optuna, over a journal in the store."""

from __future__ import annotations

from aiga.search.study import Ranked, State, Study, Trial

__all__ = ["Ranked", "State", "Study", "Trial"]
