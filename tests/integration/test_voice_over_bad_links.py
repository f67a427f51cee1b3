"""The shipped model over bad links: how much of the speech is lost, by ESTOI. Slow."""

import numpy as np
import pytest
import soundfile

from edge_codec.firmware_bridge import Channel, ChannelModel, find_mode
from edge_codec.runtime import Bundle, load_bundle
from support.repository import PACKAGES, REPOSITORY
from support.voice_link import estoi_over_link

CLIPS = sorted((PACKAGES["runtime"] / "clips").glob("*.flac"))
SEEDS = range(6)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    pytest.importorskip("pystoi", reason="pip install 'edge-codec[train]' to score speech")
    return load_bundle(REPOSITORY / "models" / "voice-m")


def estoi_drop(bundle: Bundle, name: str, model: ChannelModel, *, red: int = 0) -> float:
    """Mean loss against the clean link, over clips and seeds."""
    mode = find_mode(name, 12, 10, 50.0)
    drops = []
    for clip in CLIPS:
        speech_T, _ = soundfile.read(clip, dtype="float32")
        clean = estoi_over_link(bundle, speech_T, mode, bytes)
        for seed in SEEDS:
            channel = Channel(model, seed=seed)
            drops.append(clean - estoi_over_link(bundle, speech_T, mode, channel.send, red=red))
    return float(np.mean(drops))


@pytest.mark.parametrize(("ber", "most"), [(1e-2, 0.02), (3e-2, 0.03), (5e-2, 0.05)])
def test_r3000_survives_bit_errors(bundle: Bundle, ber: float, most: float) -> None:
    assert estoi_drop(bundle, "R3000", ChannelModel(bit_error_rate=ber)) <= most


def test_r3000_survives_byte_slips(bundle: Bundle) -> None:
    assert estoi_drop(bundle, "R3000", ChannelModel(slip_rate=1e-3)) <= 0.03


def test_p3000_with_red_survives_packet_loss(bundle: Bundle) -> None:
    model = ChannelModel(drop_rate=0.1)
    with_red = estoi_drop(bundle, "P3000", model, red=1)
    assert with_red <= 0.03
    assert with_red < estoi_drop(bundle, "P3000", model)
