"""The gateway's configuration in one piece, and another share of the traffic for the canary while it runs."""

from __future__ import annotations

import json
from pathlib import Path

from aiga.errors import UserError
from aiga.serving.deploy.plan import CANARY, MAIN
from aiga.serving.gateway.deployment import Deployment, load
from aiga.spec.base import plain


def write(config: Path, deployment: Deployment) -> None:
    """The gateway takes it over whenever the file changes; no request is lost."""
    draft = config.with_suffix(".new")
    draft.write_text(json.dumps(plain(deployment), indent=2) + "\n")
    draft.replace(config)


def shift(config: Path, share: float) -> Deployment:
    """Gives the canary a share of the traffic in percent, and the rest to the main version.

    Raises:
        UserError: there is no canary, or the share is none.
    """
    if not 0 <= share <= 100:
        raise UserError(f"{share:g}: the share must lie between 0 and 100 percent (such as 50)")
    deployment = load(config)
    if CANARY not in {predictor.name for predictor in deployment.predictors}:
        raise UserError(f"{deployment.name}: is served without a canary (aiga serve --canary staging)")
    weights = {CANARY: share, MAIN: 100 - share}
    predictors = tuple(
        predictor.model_copy(update={"weight": weights.get(predictor.name, 0.0)}) for predictor in deployment.predictors
    )
    shifted = deployment.model_copy(update={"predictors": predictors})
    write(config, shifted)
    return shifted
