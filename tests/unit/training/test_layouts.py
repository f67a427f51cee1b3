"""Data sets recognised by name: labels in the manifest, parts of other files left out."""

import tarfile

import numpy as np
import pytest

from edge_codec.runtime.errors import AudioError, ConfigError, MissingExtraError
from edge_codec.training import stems
from edge_codec.training.audio_files import read_mono
from edge_codec.training.cache import read_manifest
from edge_codec.training.layouts import find_common_voice, find_labels
from edge_codec.training.preparation import prepare
from support import data_sets


def prepared(tmp_path, source):
    prepare(tmp_path / "out", [source], rate_hz=16_000)
    manifest = read_manifest(tmp_path / "out")
    return {c["source"]: c["labels"] for c in manifest["clips"]}, manifest["skipped"]


def test_ravdess(tmp_path):
    labels, skipped = prepared(tmp_path, data_sets.make_ravdess(tmp_path / "ravdess"))
    assert labels["ravdess/Actor_02/03-01-03-02-01-02-02.wav"] == {
        "domain": "speech", "language": "en", "speaker": "ravdess-02", "gender": "female",
        "emotion": "happy", "corpus": "ravdess",
    }  # fmt: skip
    assert labels["ravdess/Actor_01/03-01-06-01-02-01-01.wav"]["emotion"] == "fearful"
    assert labels["ravdess/Actor_02/03-02-04-01-01-01-02.wav"]["domain"] == "music"
    assert not skipped


def test_gtzan(tmp_path):
    labels, _ = prepared(tmp_path, data_sets.make_gtzan(tmp_path / "gtzan"))
    assert labels == {
        f"gtzan/genres/{genre}/{genre}.{end}": {
            "domain": "music",
            "genre": genre,
            "corpus": "gtzan",
        }
        for genre, end in (("blues", "00000.au"), ("metal", "00042.wav"))
    }


def test_librispeech_in_a_folder_and_in_a_tar(tmp_path):
    folder = data_sets.make_librispeech(tmp_path / "LibriSpeech")
    with tarfile.open(tmp_path / "dev-clean.tar.gz", "w:gz") as tar:
        tar.add(folder, "LibriSpeech")
    for out, source in (("1", folder), ("2", tmp_path / "dev-clean.tar.gz")):
        labels, _ = prepared(tmp_path / out, source)
        assert sorted(label["speaker"] for label in labels.values()) == ["174", "84"]
        assert {label["language"] for label in labels.values()} == {"en"}


def test_common_voice(tmp_path):
    labels, skipped = prepared(tmp_path, data_sets.make_common_voice(tmp_path / "cv-corpus"))
    first = {
        "speaker": "abababab0", "language": "uk", "domain": "speech", "corpus": "common-voice"
    }  # fmt: skip
    assert labels["cv-corpus/uk/clips/common_voice_uk_0.mp3"] == first
    assert "speaker" not in labels["cv-corpus/uk/clips/common_voice_uk_3.mp3"]
    assert labels["cv-corpus/uk/clips/common_voice_uk_3.mp3"]["language"] == "uk"
    (refused,) = skipped
    assert refused == "cv-corpus/uk/clips/common_voice_uk_2.mp3"
    assert "invalidated.tsv" in skipped[refused]


@pytest.mark.parametrize(
    "table", [b"\xff\xfe\x00", b"", b"path\n1.mp3\n", b"client_id\tpath\n" + b"x" * 200_000 + b"\n"]
)
def test_hostile_tables(tmp_path, table):
    (tmp_path / "clips").mkdir()
    (tmp_path / "validated.tsv").write_bytes(table)
    if table in (b"", b"path\n1.mp3\n"):
        assert find_common_voice(tmp_path) == {}
    else:
        with pytest.raises(ConfigError, match=r"validated\.tsv"):
            find_common_voice(tmp_path)


@pytest.mark.parametrize("is_split_given", [True, False])
def test_musdb18_hq_takes_mixtures_alone(tmp_path, is_split_given):
    folder = data_sets.make_musdb18_hq(tmp_path / "musdb18hq")
    labels, skipped = prepared(tmp_path, folder / "train" if is_split_given else folder)
    place = "train/A - Song" if is_split_given else "musdb18hq/train/A - Song"
    assert labels[f"{place}/mixture.wav"] == {
        "domain": "music", "corpus": "musdb18", "split": "train"
    }  # fmt: skip
    assert skipped[f"{place}/vocals.wav"] == "a part of its mixture.wav"
    assert len(skipped) == 4 * len(labels)


@pytest.mark.parametrize(
    "path",
    [
        "recordings/other.wav",
        "Actor_01/03-01-09-01-02-01-01.wav",  # no ninth emotion
        "Actor_01/03-01-06-01-02-01-02.wav",  # another actor's
        "a/84/121123/85-121123-0000.flac",
        "genres/blues/metal.00000.au",
        "train/song.wav",
        "",
    ],
)
def test_other_names_say_nothing(path):
    assert find_labels(path).labels == {}
    assert find_labels(path).refusal == ""


def make_stems(path):
    """Mixture: a tone in both channels; the other four tracks are silent."""
    av = pytest.importorskip("av", reason="PyAV decodes stem files: pip install av")
    path.parent.mkdir(parents=True, exist_ok=True)
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(44_100) / 44_100).astype(np.float32)
    with av.open(str(path), "w", format="mp4") as file:
        tracks = [file.add_stream("aac", rate=44_100, layout="stereo") for _ in range(5)]
        for track, audio_T in zip(tracks, [tone, *[np.zeros_like(tone)] * 4], strict=True):
            frame = av.AudioFrame.from_ndarray(np.stack([audio_T] * 2), "fltp", "stereo")
            frame.sample_rate = 44_100
            for packet in [*track.encode(frame), *track.encode(None)]:
                file.mux(packet)
    return path


def test_stem_files_give_their_mixture(tmp_path):
    path = make_stems(tmp_path / "musdb18/test/C - Air.stem.mp4")
    labels, _ = prepared(tmp_path, tmp_path / "musdb18")
    assert labels["musdb18/test/C - Air.stem.mp4"]["split"] == "test"
    audio_T = read_mono(path, 16_000)[4_000:12_000]
    assert np.abs(np.fft.rfft(audio_T * np.hanning(8_000))).argmax() == 220
    assert audio_T.std() == pytest.approx(0.5 / 2**0.5, rel=0.05)


def test_damaged_stem_files_are_named(tmp_path):
    path = make_stems(tmp_path / "a.stem.mp4")
    whole = path.read_bytes()
    for content in (b"", b"no film", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(AudioError, match=r"a\.stem\.mp4"):
            read_mono(path, 16_000)


def test_what_decodes_stem_files_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"edge-codec\[stems\]"):
        next(stems.iter_mixture(tmp_path / "a.stem.mp4"))
