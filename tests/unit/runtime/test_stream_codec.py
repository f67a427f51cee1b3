import os

import numpy as np
import pytest
import soundfile

from edge_codec.runtime.backends import silenced_stderr
from edge_codec.runtime.bundle import load_bundle
from edge_codec.runtime.codec import StreamDecoder, StreamEncoder
from edge_codec.runtime.errors import AudioError, BundleError, CodeRangeError
from support.recordings import snr_db
from support.stub_bundle import STUB_BUNDLE, make_bundle_copy

CHUNK_SIZES = [1, 7, 319, 320, 321, 1000, 5000, 16_000]
NOT_SENT = 1024


@pytest.fixture(scope="module")
def bundle():
    return load_bundle(STUB_BUNDLE)


@pytest.fixture(scope="module")
def clip(bundle):
    return soundfile.read(bundle.golden_path(), dtype="float32")[0]


@pytest.fixture(scope="module")
def codes(bundle, clip):
    return StreamEncoder(bundle).push(clip)


def pieces(array, size):
    return [array[i : i + size] for i in range(0, len(array), size)]


def test_the_golden_clip_gives_the_golden_codes(bundle, codes):
    assert (codes == bundle.load_golden_codes()).all()


@pytest.mark.parametrize("size", CHUNK_SIZES)
def test_encoding_does_not_depend_on_chunks(bundle, clip, codes, size):
    encoder = StreamEncoder(bundle)
    chunked = [encoder.push(piece) for piece in pieces(clip, size)]
    assert (np.concatenate(chunked) == codes).all()


@pytest.mark.parametrize("layers", [1, 5, 12])
def test_fewer_layers_are_the_first_ones(bundle, clip, codes, layers):
    encoder = StreamEncoder(bundle, layers=layers)
    assert encoder.push(clip[:0]).shape == (0, layers)
    assert (encoder.push(clip) == codes[:, :layers]).all()


@pytest.mark.parametrize("layers", [0, 13])
def test_layers_that_the_codec_does_not_have_are_refused(bundle, layers):
    with pytest.raises(CodeRangeError, match="this codec has 1 to 12"):
        StreamEncoder(bundle, layers=layers)


@pytest.mark.parametrize("size", [1, 2, 3, 24, 25, 26, 49])
def test_decoding_does_not_depend_on_chunks(bundle, codes, size):
    whole, decoder = StreamDecoder(bundle).push(codes), StreamDecoder(bundle)
    chunked = [decoder.push(piece) for piece in pieces(codes, size)]
    np.testing.assert_allclose(np.concatenate(chunked), whole, atol=1e-6)


def test_decoded_audio_is_the_input_one_delay_later(bundle, clip, codes):
    decoded = StreamDecoder(bundle).push(codes)
    assert snr_db(clip[:-320], decoded[320:]) > 30


def test_flush_fills_the_last_frame_up_once(bundle, clip):
    encoder = StreamEncoder(bundle)
    assert encoder.push(clip[:1000]).shape == (3, 12)
    padded = StreamEncoder(bundle).push(np.pad(clip[:1000], (0, 280)))
    assert (encoder.flush() == padded[3:]).all()
    assert encoder.flush().shape == (0, 12)


def test_reset_starts_a_new_stream(bundle, clip, codes):
    encoder, decoder = StreamEncoder(bundle), StreamDecoder(bundle)
    encoder.push(clip[::-1].copy()[:999])
    decoder.push(codes[30:])
    encoder.reset()
    decoder.reset()
    assert (encoder.push(clip) == codes).all()
    assert (decoder.push(codes) == StreamDecoder(bundle).push(codes)).all()


def test_a_lost_frame_is_the_frame_that_was_not_sent(bundle, codes):
    valid = np.full(len(codes), 12)
    valid[[0, 20, 21, 49]] = 0
    spoiled = codes.copy()
    spoiled[valid == 0] = 99_999
    not_sent = codes.copy()
    not_sent[valid == 0] = NOT_SENT
    got = StreamDecoder(bundle).push(spoiled, valid)
    assert (got == StreamDecoder(bundle).push(not_sent)).all()
    assert np.abs(got - StreamDecoder(bundle).push(codes)).max() > 0.01


def test_fewer_layers_are_those_not_sent(bundle, codes):
    not_sent = codes.copy()
    not_sent[:, 5:] = NOT_SENT
    expected = StreamDecoder(bundle).push(not_sent)
    assert (StreamDecoder(bundle).push(codes[:, :5]) == expected).all()
    assert (StreamDecoder(bundle).push(codes, np.full(50, 5)) == expected).all()


def test_more_layers_are_better(bundle, clip, codes):
    scores = [
        snr_db(clip[:-320], StreamDecoder(bundle).push(codes[:, :layers])[320:])
        for layers in (3, 6, 9, 12)
    ]
    assert scores == sorted(scores)


def test_nothing_in_gives_nothing_out(bundle):
    assert StreamEncoder(bundle).push(np.zeros(0, np.float32)).shape == (0, 12)
    assert StreamDecoder(bundle).push(np.zeros((0, 12), np.int64)).shape == (0,)


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(320),
        np.zeros((1, 320), np.float32),
        np.zeros(320, np.int16),
        np.array([np.nan], np.float32),
        np.array([np.inf], np.float32),
    ],
)
def test_samples_that_cannot_be_encoded_change_nothing(bundle, clip, codes, samples):
    encoder = StreamEncoder(bundle)
    before = encoder.push(clip[:500])
    with pytest.raises(AudioError):
        encoder.push(samples)
    assert (np.concatenate([before, encoder.push(clip[500:])]) == codes).all()


@pytest.mark.parametrize(
    ("wrong", "valid"),
    [
        (np.zeros((2, 13), np.int64), None),
        (np.zeros((2, 12)), None),
        (np.zeros(12, np.int64), None),
        (np.full((2, 12), 1025), None),
        (np.full((2, 12), -1), None),
        (np.zeros((2, 12), np.int64), np.array([1])),
        (np.zeros((2, 12), np.int64), np.array([1, 13])),
        (np.zeros((2, 12), np.int64), np.array([-1, 1])),
        (np.zeros((2, 12), np.int64), np.array([1.0, 1.0])),
    ],
)
def test_codes_that_cannot_be_decoded_change_nothing(bundle, codes, wrong, valid):
    decoder = StreamDecoder(bundle)
    before = decoder.push(codes[:20])
    with pytest.raises(CodeRangeError):
        decoder.push(wrong, valid)
    got = np.concatenate([before, decoder.push(codes[20:])])
    np.testing.assert_allclose(got, StreamDecoder(bundle).push(codes), atol=1e-6)


def test_without_trained_concealment_the_last_sound_is_held_and_faded(tmp_path, codes):
    path = make_bundle_copy(tmp_path / "bundle", lambda m: m.update(conceals_loss=False))
    valid = np.full(50, 12)
    valid[10:30] = 0
    got = StreamDecoder(load_bundle(path)).push(codes, valid).reshape(50, 320)
    rms = np.sqrt((got**2).mean(axis=1))
    assert rms[11] > 0.5 * rms[9]
    assert (rms[16:30] == 0).all()
    assert rms[31] > 0.9 * rms[9]
    decoder = StreamDecoder(load_bundle(path))
    chunked = [decoder.push(codes[i : i + 3], valid[i : i + 3]) for i in range(0, 50, 3)]
    np.testing.assert_allclose(np.concatenate(chunked), got.ravel(), atol=1e-6)


def test_native_noise_is_silenced_and_python_errors_pass(capfd):
    with pytest.raises(KeyError), silenced_stderr():
        os.write(2, b"GPU device discovery failed")
        raise KeyError
    os.write(2, b"heard again")
    assert capfd.readouterr().err == "heard again"


GRAPHS = {
    "not a graph": (b"not a graph", 320, "cannot load .*encoder.onnx"),
    "nothing": (b"", 320, "cannot load|is not a graph"),
    "another state": (None, 321, r"state \[1, 321\]"),
}


@pytest.mark.parametrize(("data", "state", "message"), GRAPHS.values(), ids=GRAPHS.keys())
def test_graphs_that_do_not_fit_are_refused_in_one_line(tmp_path, data, state, message):
    data = (STUB_BUNDLE / "encoder.onnx").read_bytes() if data is None else data
    path = make_bundle_copy(
        tmp_path / "bundle",
        lambda m: m["graphs"]["onnx"]["fp32"]["encoder"].update(sha256="", state_size=state),
        {"encoder.onnx": data},
    )
    with pytest.raises(BundleError, match=message) as caught:
        StreamEncoder(load_bundle(path))
    assert "\n" not in str(caught.value)
