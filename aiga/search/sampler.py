"""How parameters are suggested: by slot, so that a study that was killed goes on as if it had not been.

A slot is the place of a suggestion in its study: 0 for the first. A trial that is tried again keeps its slot. The
random numbers of a suggestion depend on the seed and the slot alone, not on how many this process drew before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial

from aiga.search.space import Grid
from aiga.spec.search import Pruning, Search

SLOT = "slot"
"""User attribute of a trial that is tried again: the slot of the one it stands for."""


def slot_of(trial: FrozenTrial, trials: Sequence[FrozenTrial]) -> int:
    """The slot of one of `trials`, which are in the order of their numbers."""
    if SLOT in trial.user_attrs:
        return int(trial.user_attrs[SLOT])
    return sum(1 for other in trials[: trial.number] if SLOT not in other.user_attrs)


class SlotSampler(BaseSampler):
    """Grid, random or TPE of a search, anew for every slot."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self.grid = Grid(search.space, search.trials, search.seed) if search.method == "grid" else None
        self._slot = 0
        self._inner: BaseSampler = self._seeded(0)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        self._slot = slot_of(trial, study.get_trials(deepcopy=False))
        self._inner = self._seeded(self._slot)
        self._inner.before_trial(study, trial)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return {} if self.grid else self._inner.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return {} if self.grid else self._inner.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        if self.grid:
            return self.grid[self._slot % self.grid.size][param_name]
        return self._inner.sample_independent(study, trial, param_name, param_distribution)

    def _seeded(self, slot: int) -> BaseSampler:
        seed = int(np.random.SeedSequence([self._search.seed, slot]).generate_state(1)[0])
        if self._search.method == "tpe":
            return TPESampler(seed=seed, constant_liar=self._search.parallel > 1)
        return RandomSampler(seed=seed)


def pruner(pruning: Pruning | None) -> BasePruner:
    """Optuna's pruner; the warm-up, counted in reports, is the study's to keep."""
    match pruning:
        case Pruning(method="median"):
            return MedianPruner(n_startup_trials=pruning.startup)
        case Pruning(method="asha"):
            return SuccessiveHalvingPruner(min_resource=max(1, pruning.warmup), reduction_factor=pruning.reduction)
    return NopPruner()
