"""How fast a model answers: a roofline of every operation of a step, and how much of it real engines reach."""

from dsdeploy.core.band import Band
from dsdeploy.core.sizing.speed.predict import ServingSpeed, predict_speed
from dsdeploy.core.sizing.speed.refusals import SpeedUnknown
from dsdeploy.core.sizing.speed.values import (
    BF16,
    Pace,
    SpeedEstimate,
    SpeedRequest,
    TensorFormat,
    Term,
    WeightFormats,
)

__all__ = [
    "BF16",
    "Band",
    "Pace",
    "ServingSpeed",
    "SpeedEstimate",
    "SpeedRequest",
    "SpeedUnknown",
    "TensorFormat",
    "Term",
    "WeightFormats",
    "predict_speed",
]
