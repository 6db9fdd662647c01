"""What Seldon's variables tell a class of where it is served."""

from __future__ import annotations

import json
import os

__all__ = [
    "ENV_MODEL_IMAGE",
    "ENV_MODEL_NAME",
    "ENV_PREDICTOR_LABELS",
    "ENV_PREDICTOR_NAME",
    "ENV_SELDON_DEPLOYMENT_NAME",
    "NONIMPLEMENTED_IMAGE_MSG",
    "NONIMPLEMENTED_MSG",
    "get_deployment_name",
    "get_image_name",
    "get_model_name",
    "get_predictor_name",
    "get_predictor_version",
]
ENV_MODEL_NAME = "PREDICTIVE_UNIT_ID"
ENV_MODEL_IMAGE = "PREDICTIVE_UNIT_IMAGE"
ENV_SELDON_DEPLOYMENT_NAME = "SELDON_DEPLOYMENT_ID"
ENV_PREDICTOR_NAME = "PREDICTOR_ID"
ENV_PREDICTOR_LABELS = "PREDICTOR_LABELS"
NONIMPLEMENTED_MSG = "NOT_IMPLEMENTED"
NONIMPLEMENTED_IMAGE_MSG = f"{NONIMPLEMENTED_MSG}:{NONIMPLEMENTED_MSG}"


def get_model_name(default_val: str = NONIMPLEMENTED_MSG) -> str:
    """The node of the graph."""
    return os.environ.get(ENV_MODEL_NAME, default_val)


def get_image_name(default_val: str = NONIMPLEMENTED_IMAGE_MSG) -> str:
    """The container's image, with its tag."""
    return os.environ.get(ENV_MODEL_IMAGE, default_val)


def get_deployment_name(default_val: str = NONIMPLEMENTED_MSG) -> str:
    """The deployment."""
    return os.environ.get(ENV_SELDON_DEPLOYMENT_NAME, default_val)


def get_predictor_name(default_val: str = NONIMPLEMENTED_MSG) -> str:
    """The predictor: one version of the deployment."""
    return os.environ.get(ENV_PREDICTOR_NAME, default_val)


def get_predictor_version(default_val: str = NONIMPLEMENTED_MSG) -> str:
    """What the predictor's labels say of its version."""
    return str(json.loads(os.environ.get(ENV_PREDICTOR_LABELS, "{}")).get("version", default_val))
