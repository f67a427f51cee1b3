"""Audio in, cache out: every format, hostile archives, and runs that were cut short."""

import io
import json
import os
import tarfile
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pytest
import soundfile

from edge_codec.runtime.errors import AudioError, ConfigError
from edge_codec.training import cache_writer, preparation, sources
from edge_codec.training.cache import load_cache, read_manifest
from edge_codec.training.preparation import load_labels, prepare, to_int16

RATE_HZ = 16_000


def make_tone(seconds=0.5, rate_hz=RATE_HZ, hz=440.0, channels=1):
    tone_T = 0.5 * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate_hz)) / rate_hz)
    return np.repeat(tone_T[:, None], channels, axis=1).astype(np.float32)


def write_tone(path, rate_hz=RATE_HZ, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, make_tone(rate_hz=rate_hz, **options), rate_hz)
    return path


def tone_bytes(suffix="flac"):
    buffer = io.BytesIO()
    soundfile.write(buffer, make_tone(), RATE_HZ, format=suffix)
    return buffer.getvalue()


def make_tar(path, members, mode="w"):
    """`members`: name -> bytes, or a TarInfo for anything that is not a file."""
    with tarfile.open(path, mode) as tar:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                content.name = name
                tar.addfile(content)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return path


def make_link(kind, target):
    info = tarfile.TarInfo()
    info.type, info.linkname = kind, target
    return info


def clips_of(cache):
    loaded = load_cache(cache)
    places = zip(loaded.offsets, loaded.lengths, strict=True)
    return [loaded.samples[start : start + length] for start, length in places]


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("name", "rate_hz", "channels"),
    [
        ("a.wav", 16_000, 1),
        ("a.flac", 8_000, 8),
        ("a.wav", 192_000, 2),
        ("a.ogg", 44_100, 2),
        ("a.mp3", 44_100, 1),
    ],
)
def test_every_format_becomes_the_same_tone(tmp_path, name, rate_hz, channels):
    write_tone(tmp_path / "in" / name, rate_hz=rate_hz, channels=channels)
    prepare(tmp_path / "out", [tmp_path / "in"], rate_hz=RATE_HZ)
    (clip,) = clips_of(tmp_path / "out")
    middle_T = clip[2_000:6_000].astype(float)
    spectrum = np.abs(np.fft.rfft(middle_T * np.hanning(4_000)))
    assert spectrum.argmax() * RATE_HZ / 4_000 == 440
    assert middle_T.std() == pytest.approx(0.5 * 32_768 / 2**0.5, rel=0.03)


def test_folders_are_sorted_and_the_manifest_says_what_is_where(tmp_path):
    for name, hz in (("b/2.wav", 200), ("a.flac", 300), ("b/1.wav", 400)):
        write_tone(tmp_path / "in" / name, hz=hz)
    made = prepare(tmp_path / "out", [tmp_path / "in"], rate_hz=RATE_HZ)
    manifest = read_manifest(tmp_path / "out")
    assert manifest["sample_rate_hz"] == RATE_HZ
    assert [c["source"] for c in manifest["clips"]] == ["in/a.flac", "in/b/1.wav", "in/b/2.wav"]
    assert [c["offset"] for c in manifest["clips"]] == [0, 8_000, 16_000]
    assert (made.clips, made.audio_s, made.skipped) == (3, 1.5, {})
    assert names_in(tmp_path / "out") == ["audio.s16", "manifest.json"]
    expected = to_int16(make_tone(hz=400)[:, 0])
    np.testing.assert_allclose(clips_of(tmp_path / "out")[1], expected, atol=1)


def test_unusable_files_are_named_and_skipped(tmp_path):
    folder = tmp_path / "in"
    write_tone(folder / "good.wav")
    (folder / "empty.wav").write_bytes(b"")
    (folder / "text.mp3").write_text("not audio")
    (folder / "cut.flac").write_bytes(tone_bytes()[:200])
    soundfile.write(folder / "none.wav", np.zeros(0), RATE_HZ)
    soundfile.write(folder / "nan.wav", np.full(100, np.nan), RATE_HZ, subtype="FLOAT")
    soundfile.write(folder / "slow.wav", np.zeros(100), 1)
    soundfile.write(folder / "tick.wav", np.zeros(1), 768_000)
    made = prepare(tmp_path / "out", [folder], rate_hz=RATE_HZ)
    assert made.clips == 1
    names = ["cut.flac", "empty.wav", "nan.wav", "none.wav", "slow.wav", "text.mp3", "tick.wav"]
    assert sorted(made.skipped) == [f"in/{name}" for name in names]
    assert "NaN" in made.skipped["in/nan.wav"]
    assert "a rate of 1 Hz" in made.skipped["in/slow.wav"]
    assert read_manifest(tmp_path / "out")["skipped"] == made.skipped
    assert len(load_cache(tmp_path / "out").samples) == 8_000


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_archives_cannot_reach_outside(tmp_path, mode, monkeypatch):
    monkeypatch.setattr(sources, "MAX_FILE_BYTES", 20_000)
    target = write_tone(tmp_path / "secret.wav")
    members = {
        str(tmp_path / "absolute.flac"): tone_bytes(),
        "../../up.flac": tone_bytes(),
        "link.wav": make_link(tarfile.SYMTYPE, str(target)),
        "hard.wav": make_link(tarfile.LNKTYPE, str(target)),
        "device.wav": make_link(tarfile.CHRTYPE, ""),
        "folder.wav": make_link(tarfile.DIRTYPE, ""),
        "huge.wav": bytes(20_001),
        "noise.ogg": np.random.default_rng(0).bytes(5_000),
        "notes.txt": b"not called audio",
        "plain.flac": tone_bytes(),
    }
    archive = make_tar(tmp_path / "x.tar", members, mode)
    before = sorted(tmp_path.rglob("*"))
    made = prepare(tmp_path / "out", [archive], rate_hz=RATE_HZ)
    outside = [path for path in tmp_path.rglob("*") if tmp_path / "out" not in (path, path.parent)]
    assert sorted(outside) == before
    assert made.clips == 3
    refused = ["link.wav", "hard.wav", "device.wav", "folder.wav", "huge.wav", "noise.ogg"]
    assert sorted(made.skipped) == sorted(f"x.tar/{name}" for name in refused)
    assert "20001 bytes" in made.skipped["x.tar/huge.wav"]


def test_a_damaged_archive_is_an_error_and_can_be_mended(tmp_path):
    whole = make_tar(tmp_path / "whole.tar", {f"{i}.flac": tone_bytes() for i in range(4)})
    archive = tmp_path / "x.tar"
    archive.write_bytes(whole.read_bytes()[:3_000])
    with pytest.raises(AudioError, match=r"x\.tar is damaged"):
        prepare(tmp_path / "out", [archive], rate_hz=RATE_HZ)
    archive.write_bytes(whole.read_bytes())
    assert prepare(tmp_path / "out", [archive], rate_hz=RATE_HZ).clips == 4


def make_sources(tmp_path):
    write_tone(tmp_path / "in" / "a.wav", rate_hz=44_100)
    (tmp_path / "in" / "b.wav").write_text("broken")
    members = {f"{i}.flac": tone_bytes() for i in range(3)}
    return [tmp_path / "in", make_tar(tmp_path / "x.tar", members)]


def read_all(cache):
    return [(cache / name).read_bytes() for name in ("audio.s16", "manifest.json")]


def test_processes_make_the_cache_of_one_process(tmp_path):
    given = make_sources(tmp_path)
    for jobs in (1, 2):
        prepare(tmp_path / f"out{jobs}", given, rate_hz=RATE_HZ, jobs=jobs)
    assert read_all(tmp_path / "out1") == read_all(tmp_path / "out2")


@pytest.mark.parametrize("stop_at", range(5))
def test_a_stopped_run_goes_on_and_ends_the_same(tmp_path, monkeypatch, stop_at):
    given = make_sources(tmp_path)
    prepare(tmp_path / "whole", given, rate_hz=RATE_HZ)
    calls = iter(range(9))

    def store_or_stop(*args):
        if next(calls) == stop_at:
            raise KeyboardInterrupt
        store(*args)

    store = preparation._store
    out = tmp_path / "out"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(preparation, "_store", store_or_stop)
        prepare(out, given, rate_hz=RATE_HZ)
    with (out / "audio.s16").open("ab") as audio:  # a kill between audio and journal
        audio.write(b"half a clip")
    with (out / cache_writer.JOURNAL_NAME).open("a") as journal:
        journal.write('{"name": "cut short')
    (out / "scratch").mkdir()  # left behind by kill -9
    (out / "scratch" / "1.s16").write_bytes(b"old")
    with pytest.raises(AudioError, match="edge-codec prepare"):
        load_cache(out)
    prepare(out, given, rate_hz=RATE_HZ)
    assert read_all(out) == read_all(tmp_path / "whole")
    assert names_in(out) == ["audio.s16", "manifest.json"]


@pytest.mark.parametrize("is_known_at_once", [True, False])
def test_a_killed_decoder_is_an_error_that_names_its_file(tmp_path, monkeypatch, is_known_at_once):
    class Pool(ThreadPoolExecutor):
        def submit(self, *args):
            error = BrokenProcessPool("a child process terminated abruptly")
            if is_known_at_once:
                raise error
            future = Future()
            future.set_exception(error)
            return future

    given = make_sources(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(preparation, "workers", Pool)
        with pytest.raises(AudioError, match=r"killed, by in/a\.wav or .* run again"):
            prepare(tmp_path / "out", given, rate_hz=RATE_HZ, jobs=2)
    made = prepare(tmp_path / "out", given, rate_hz=RATE_HZ)
    assert made.clips == len(read_manifest(tmp_path / "out")["clips"]) > 1


def test_a_run_goes_on_only_with_the_same_sources(tmp_path, monkeypatch):
    given = make_sources(tmp_path)
    out = tmp_path / "out"
    with monkeypatch.context() as patch, pytest.raises(AudioError, match="No space left"):
        patch.setattr(cache_writer.CacheWriter, "finish", _fail_for_space)
        prepare(out, given, rate_hz=RATE_HZ)
    with pytest.raises(ConfigError, match="other sources"):
        prepare(out, given, rate_hz=8_000)
    (tmp_path / "in" / "a.wav").unlink()
    with pytest.raises(ConfigError, match=r"in/a\.wav is gone"):
        prepare(out, given, rate_hz=RATE_HZ)


def _fail_for_space(cache):
    raise OSError(28, "No space left on device")


def test_lost_audio_is_noticed(tmp_path, monkeypatch):
    given = make_sources(tmp_path)
    with monkeypatch.context() as patch, pytest.raises(AudioError):
        patch.setattr(cache_writer.CacheWriter, "finish", _fail_for_space)
        prepare(tmp_path / "out", given, rate_hz=RATE_HZ)
    os.truncate(tmp_path / "out" / "audio.s16", 100)
    with pytest.raises(AudioError, match="shorter than its journal"):
        prepare(tmp_path / "out", given, rate_hz=RATE_HZ)
    journal = tmp_path / "out" / cache_writer.JOURNAL_NAME
    header = journal.read_text().splitlines()[0]
    for line in ("no JSON", "[]", "{}", '{"name": "a", "clip": 3}', '{"name": "a", "clip": {}}'):
        journal.write_text(f"{header}\n{line}\n")
        with pytest.raises(ConfigError, match=r"damaged.*delete"):
            prepare(tmp_path / "out", given, rate_hz=RATE_HZ)


def test_a_finished_cache_is_not_overwritten(tmp_path):
    given = make_sources(tmp_path)
    prepare(tmp_path / "out", given, rate_hz=RATE_HZ)
    with pytest.raises(ConfigError, match="already holds a cache"):
        prepare(tmp_path / "out", given, rate_hz=RATE_HZ)


def test_sources_must_be_folders_or_tars_with_audio(tmp_path):
    (tmp_path / "x.tar").write_text("no archive")
    for source in (tmp_path / "x.tar", tmp_path / "missing"):
        with pytest.raises(ConfigError, match="neither a folder nor a tar"):
            prepare(tmp_path / "out", [source], rate_hz=RATE_HZ)
    (tmp_path / "in").mkdir()
    with pytest.raises(AudioError, match="no audio in"):
        prepare(tmp_path / "out", [tmp_path / "in"], rate_hz=RATE_HZ)
    (tmp_path / "in" / "a.wav").write_text("broken")
    with pytest.raises(AudioError, match="not one usable file among 1"):
        prepare(tmp_path / "out", [tmp_path / "in"], rate_hz=RATE_HZ)


def test_a_clip_that_never_ends_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(preparation, "MAX_CLIP_S", 0.1)
    write_tone(tmp_path / "in" / "a.wav")
    with pytest.raises(AudioError, match=r"longer than 0\.1 s"):
        prepare(tmp_path / "out", [tmp_path / "in"], rate_hz=RATE_HZ)


def test_the_manifest_says_how_loud_and_how_wide(tmp_path):
    noise_T = np.random.default_rng(0).uniform(-0.1, 0.1, 48_000)
    for name, rate_hz in (("wide.flac", 16_000), ("narrow.flac", 8_000)):
        (tmp_path / "in").mkdir(exist_ok=True)
        soundfile.write(tmp_path / "in" / name, noise_T, rate_hz)
    write_tone(tmp_path / "in" / "tone.wav", hz=1_000)
    soundfile.write(tmp_path / "in" / "silent.wav", np.zeros(800), RATE_HZ)
    prepare(tmp_path / "out", [tmp_path / "in"], rate_hz=RATE_HZ)
    cache = load_cache(tmp_path / "out")
    names = [clip["source"] for clip in read_manifest(tmp_path / "out")["clips"]]
    assert names == [
        f"in/{name}" for name in ("narrow.flac", "silent.wav", "tone.wav", "wide.flac")
    ]
    assert cache.full_band.tolist() == [False, False, False, True]
    assert np.isnan(cache.loudness_lufs).tolist() == [False, True, False, False]
    assert cache.loudness_lufs[2] == pytest.approx(-9.0, abs=0.2)  # a sine of -6 dBFS peak


def test_caches_of_older_releases_are_read(tmp_path):
    write_tone(tmp_path / "in" / "a.wav")
    prepare(tmp_path / "out", [tmp_path / "in"], rate_hz=RATE_HZ)
    manifest = read_manifest(tmp_path / "out")
    for clip in manifest["clips"]:
        del clip["loudness_lufs"], clip["full_band"]
    (tmp_path / "out" / "manifest.json").write_text(json.dumps(manifest))
    cache = load_cache(tmp_path / "out")
    assert np.isnan(cache.loudness_lufs).all()
    assert not cache.full_band.any()


def test_labels_come_from_the_csv(tmp_path):
    given = make_sources(tmp_path)
    table = tmp_path / "labels.csv"
    table.write_text(
        "file,speaker,domain,colour\na.wav,ann,speech,red\n1.flac,,music,\ngone.wav,bob,,\n"
    )
    made = prepare(
        tmp_path / "out", given, rate_hz=RATE_HZ, labels=load_labels(table), domain="environment"
    )
    assert made.missing == ["gone.wav"]
    labels = {c["source"]: c["labels"] for c in read_manifest(tmp_path / "out")["clips"]}
    assert labels["in/a.wav"] == {"speaker": "ann", "domain": "speech"}
    assert labels["x.tar/1.flac"] == {"domain": "music"}
    assert labels["x.tar/0.flac"] == {"domain": "environment"}


def test_a_row_without_a_file_name_is_missing_too(tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("speaker,file\nann\nbob,gone.wav\n")
    made = prepare(
        tmp_path / "out", make_sources(tmp_path), rate_hz=RATE_HZ, labels=load_labels(table)
    )
    assert made.missing == ["", "gone.wav"]


@pytest.mark.parametrize("content", ["name,speaker\na.wav,ann\n", "\xff\xfe", ""])
def test_a_csv_without_file_names_is_refused(tmp_path, content):
    table = tmp_path / "labels.csv"
    table.write_bytes(content.encode("latin-1"))
    if content:
        with pytest.raises(ConfigError, match=r"labels\.csv"):
            load_labels(table)
    else:
        assert load_labels(table) == {}


@pytest.mark.parametrize(
    "damage",
    [
        lambda cache: (cache / "manifest.json").unlink(),
        lambda cache: (cache / "manifest.json").write_text("{"),
        lambda cache: (cache / "manifest.json").write_text(json.dumps({"format_version": 2})),
        lambda cache: (cache / "manifest.json").write_text('{"format_version": 1}'),
        lambda cache: (cache / "manifest.json").write_text(
            '{"format_version": 1, "sample_rate_hz": 1, "clips": [3]}'
        ),
        lambda cache: os.truncate(cache / "audio.s16", 1_000),
    ],
)
def test_a_damaged_cache_is_refused(tmp_path, damage):
    write_tone(tmp_path / "in" / "a.wav")
    prepare(tmp_path / "out", [tmp_path / "in"], rate_hz=RATE_HZ)
    damage(tmp_path / "out")
    with pytest.raises(AudioError, match="prepare"):
        load_cache(tmp_path / "out")


def test_rounding_is_to_the_nearest_and_clips():
    given = np.array([-2, -1, -1.4 / 32_768, 0, 0.6 / 32_768, 1], np.float32)
    assert to_int16(given).tolist() == [-32_768, -32_768, -1, 0, 1, 32_767]
