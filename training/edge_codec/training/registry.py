"""Which codec a recipe's `[model]` table describes."""

from edge_codec.training.codec import Codec, FrameCodec
from edge_codec.training.config import ModelConfig, Recipe
from edge_codec.training.time_codec import TimeCodec


def make_codec(recipe: Recipe) -> Codec:
    """The untrained codec of `recipe`."""
    if isinstance(recipe.model, ModelConfig):
        return FrameCodec(recipe.model)
    return TimeCodec(recipe.model)
