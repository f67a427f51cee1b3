"""What a manifest says of its model's origin: which training, which weights, how they score."""

import hashlib
import json
from pathlib import Path
from typing import Any

from edge_codec.runtime.errors import ConfigError
from edge_codec.training.checkpoint import Facts
from edge_codec.training.codec import Codec
from edge_codec.training.config import Recipe


def provenance(recipe: Recipe, facts: Facts, licence: str) -> dict[str, Any]:
    """Where the weights come from, as the manifest says it."""
    text = json.dumps(recipe.to_dict(), sort_keys=True, separators=(",", ":"))
    return {
        "licence": licence,
        "data": f"sha256:{facts.data}",
        "steps": facts.step,
        "seed": facts.seed,
        "commit": facts.commit,
        "recipe_sha256": hashlib.sha256(text.encode()).hexdigest(),
    }


def weights_sha256(codec: Codec) -> str:
    """Hash of all trained numbers: what a model is, whatever graphs are made of it."""
    digest = hashlib.sha256()
    for name, tensor in sorted(codec.state_dict().items()):
        digest.update(f"{name} {list(tensor.shape)}\n".encode())
        digest.update(tensor.float().numpy().astype("<f4").tobytes())
    return digest.hexdigest()


def load_metrics(path: Path | None) -> dict[str, Any]:
    """The manifest's metrics from what `edge-codec evaluate --json` printed.

    Raises:
        ConfigError: the file is something else.
    """
    if path is None:
        return {"dataset": "none", "by_bitrate": {}}
    try:
        scores = json.loads(path.read_text(encoding="utf-8"))
        by_bitrate = {
            f"{row['bitrate_bps']:g}": {
                name: round(float(mean["mean"]), 4) for name, mean in row["means"].items()
            }
            for row in scores["rows"]
        }
        return {"dataset": str(scores["dataset"]), "by_bitrate": by_bitrate}
    except OSError as error:
        raise ConfigError(f"cannot read metrics {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{path} is not what `edge-codec evaluate --json` prints: {error!r}"
        ) from error
