"""A codec of a few thousand weights with codebooks made from speech, and its bundle."""

import numpy as np
import pytest

from edge_codec.runtime.bundle import load_bundle
from support.repository import REPOSITORY

CLIP = REPOSITORY / "runtime/edge_codec/runtime/clips/librispeech_3005.flac"


@pytest.fixture(scope="session")
def speech():
    """Two seconds of speech, [T] at 16 kHz, whole frames of the tiny codec."""
    from edge_codec.training.audio_files import read_mono

    return read_mono(CLIP, 16_000)[8_000:40_000]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory, speech):
    """The folder of a training that has just begun."""
    import torch

    from edge_codec.training.checkpoint import AVERAGED, Facts, save_checkpoint
    from edge_codec.training.codec import FrameCodec
    from edge_codec.training.config import ModelConfig, QuantizerConfig, Recipe

    model = ModelConfig(
        name="tiny",
        hop_samples=40,
        channels=16,
        code_channels=24,
        encoder_blocks=(2, 1),
        decoder_blocks=(1, 2),
        latent=12,
        layers=3,
        bits_per_code=4,
        code_dim=4,
        scatter_from_hz=3000,
    )
    torch.manual_seed(0)
    codec = FrameCodec(model)
    audio = torch.from_numpy(speech)[None]
    codec.encoder.analysis.standardise(audio)
    codec.decoder.start_at(codec.encoder.analysis.log_magnitude_mean())
    with torch.no_grad():
        latents = codec.encoder(audio)[0]
        codec.quantizer.lost.normal_()
    codec.quantizer.initialise(latents, torch.Generator().manual_seed(0))
    recipe = Recipe(model=model, quantizer=QuantizerConfig(lost_frames=0.1), steps=1)
    facts = Facts(step=1, schedule_step=1, seed=7, data="d" * 64, commit="c" * 40)
    folder = tmp_path_factory.mktemp("training")
    weights = {AVERAGED + name: tensor for name, tensor in codec.state_dict().items()}
    save_checkpoint(folder, weights, recipe, facts)
    return folder


@pytest.fixture(scope="session")
def codec(checkpoint):
    """The codec of the checkpoint."""
    from edge_codec.training.checkpoint import load_codec

    return load_codec(checkpoint)[0]


@pytest.fixture(scope="session")
def graphs(codec):
    """The codec's float graphs."""
    from edge_codec.export.fold import fold_codec
    from edge_codec.export.onnx_writer import make_graphs

    return make_graphs(fold_codec(codec))


@pytest.fixture(scope="session")
def exported(checkpoint, tmp_path_factory):
    """The checkpoint's bundle and what was compared."""
    from edge_codec.export.bundle_writer import Request, export_bundle

    out = tmp_path_factory.mktemp("models") / "tiny"
    return export_bundle(Request(checkpoint=checkpoint, out=out, clip=CLIP))


@pytest.fixture(scope="session")
def bundle(exported):
    """The checkpoint's bundle."""
    return load_bundle(exported[0].path)


@pytest.fixture(scope="session")
def codes(codec, speech):
    """What the trained net makes of the speech, [F, K]."""
    from edge_codec.export.parity import torch_codes

    return torch_codes(codec, np.asarray(speech))
