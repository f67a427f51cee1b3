"""The models in the repository do what they are shipped for: understandable speech, live."""

import numpy as np
import pytest
import soundfile

from edge_codec.runtime import Bundle, StreamDecoder, StreamEncoder, load_bundle
from edge_codec.runtime.packing import PlainPacking, pack_units, unpack_units
from edge_codec.runtime.quality import align, stoi
from support.repository import PACKAGES, REPOSITORY

NAMES = ["voice-m", "voice-s"]
CLIPS = sorted((PACKAGES["runtime"] / "clips").glob("*.flac"))
LAYERS = (1, 3, 6, 12)


@pytest.fixture(scope="module", params=NAMES)
def bundle(request: pytest.FixtureRequest) -> Bundle:
    return load_bundle(REPOSITORY / "models" / request.param)


def coded(bundle: Bundle, speech_T: np.ndarray) -> np.ndarray:
    encoder = StreamEncoder(bundle)
    return np.concatenate([encoder.push(speech_T), encoder.flush()])


def mean_estoi(bundle: Bundle, layers: int, lost_share: float = 0.0) -> float:
    scores = []
    rng = np.random.default_rng(0)
    for clip in CLIPS:
        speech_T, _ = soundfile.read(clip, dtype="float32")
        codes_FK = coded(bundle, speech_T)
        valid_F = np.where(rng.random(len(codes_FK)) < lost_share, 0, layers)
        decoded_T = StreamDecoder(bundle).push(codes_FK, valid_F)
        decoded_T = align(decoded_T, bundle.spec.delay_samples, len(speech_T))
        scores.append(stoi(speech_T, decoded_T, extended=True))
    return float(np.mean(scores))


def test_golden_codes_are_what_this_machine_computes(bundle: Bundle) -> None:
    speech_T, _ = soundfile.read(bundle.golden_path(), dtype="float32")
    codes_FK = StreamEncoder(bundle, precision="fp32").push(speech_T)
    assert (codes_FK == bundle.load_golden_codes()).mean() >= 0.99


def test_tflite_graphs_are_small_and_keep_the_float_codes(bundle: Bundle) -> None:
    pytest.importorskip("ai_edge_litert")
    assert bundle.graphs_bytes("int8", "tflite") <= 6e6
    speech_T, _ = soundfile.read(bundle.golden_path(), dtype="float32")
    encoder = StreamEncoder(bundle, precision="int8", backend="tflite")
    is_equal_FK = encoder.push(speech_T) == bundle.load_golden_codes()
    assert is_equal_FK[:, 0].mean() >= 0.97  # three seconds: a frame is 0.7 %
    assert is_equal_FK.mean() >= 0.92


def test_both_back_ends_understand_each_other(bundle: Bundle) -> None:
    pytest.importorskip("ai_edge_litert")
    speech_T, _ = soundfile.read(CLIPS[0], dtype="float32")
    codes_FK = coded(bundle.on("tflite"), speech_T)
    for backend in ("onnx", "tflite"):
        decoded_T = StreamDecoder(bundle.on(backend)).push(codes_FK)
        decoded_T = align(decoded_T, bundle.spec.delay_samples, len(speech_T))
        assert stoi(speech_T, decoded_T) > 0.85


def test_more_bits_are_better_and_three_kilobits_are_understood(bundle: Bundle) -> None:
    scores = [mean_estoi(bundle, layers) for layers in LAYERS]
    assert scores == sorted(scores)
    assert scores[LAYERS.index(6)] > 0.7


def test_packets_at_one_kilobit_say_more_than_two_layers(bundle: Bundle) -> None:
    speech_T, _ = soundfile.read(CLIPS[0], dtype="float32")
    codes_FK = coded(bundle, speech_T)
    scores = []
    for packing in (PlainPacking(), bundle.open_packing()):
        numbers_FL = pack_units(packing, codes_FK, 2, 24)
        carried = unpack_units(packing, numbers_FL, np.full(len(codes_FK), 2), 24)
        decoded_T = StreamDecoder(bundle).push(*carried)
        decoded_T = align(decoded_T, bundle.spec.delay_samples, len(speech_T))
        scores.append(stoi(speech_T, decoded_T, extended=True))
    assert carried[1].mean() > 2.2
    assert scores[1] > scores[0] + 0.01


def test_a_tenth_of_the_frames_may_be_lost(bundle: Bundle) -> None:
    assert mean_estoi(bundle, 6, lost_share=0.1) > mean_estoi(bundle, 6) - 0.08


def test_silence_stays_quiet(bundle: Bundle) -> None:
    decoded_T = StreamDecoder(bundle).push(coded(bundle, np.zeros(16_000, np.float32)))
    assert np.abs(decoded_T).max() < 0.02


def test_a_dead_link_fades(bundle: Bundle) -> None:
    speech_T, _ = soundfile.read(CLIPS[0], dtype="float32")
    codes_FK = coded(bundle, speech_T)[:100]
    codes_FK = np.concatenate([codes_FK, np.full((100, codes_FK.shape[1]), 1024)])
    decoded_T = StreamDecoder(bundle).push(codes_FK)
    speech_rms, end_rms = (np.sqrt(np.mean(x**2)) for x in (decoded_T[:32_000], decoded_T[-8000:]))
    assert end_rms < 0.5 * speech_rms


def test_attribution_ships_with_the_weights() -> None:
    assert (REPOSITORY / "models/ATTRIBUTION.md").stat().st_size > 500
