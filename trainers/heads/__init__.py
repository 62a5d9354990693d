"""Head strategies: how a track's targets become a loss, and a model's output an answer."""

from trainers.heads.classify import Classify
from trainers.heads.generate import Generate
from trainers.heads.head import Head, Prediction
from trainers.heads.tag import Tag

HEADS: dict[str, type[Head]] = {"classify": Classify, "tag": Tag, "generate": Generate}

__all__ = ["HEADS", "Classify", "Generate", "Head", "Prediction", "Tag"]
