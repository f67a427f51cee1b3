"""Small look-alikes of well-known data sets: their names and tables, a moment of noise each."""

from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 44_100


def write_noise(path: Path, rate_hz: int = RATE_HZ, seed: int = 0) -> Path:
    """A tenth of a second of noise in the format of the file's suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = 0.1 * np.random.default_rng(seed).standard_normal((rate_hz // 10, 2))
    soundfile.write(path, noise, rate_hz)
    return path


def make_ravdess(folder: Path) -> Path:
    """Two actors, three emotions, one song."""
    for name in (
        "Actor_01/03-01-06-01-02-01-01.wav",
        "Actor_02/03-01-03-02-01-02-02.wav",
        "Actor_02/03-02-04-01-01-01-02.wav",
    ):
        write_noise(folder / name, 48_000)
    return folder


def make_gtzan(folder: Path) -> Path:
    """Two genres, in Sun audio as published and in WAV."""
    write_noise(folder / "genres/blues/blues.00000.au", 22_050)
    write_noise(folder / "genres/metal/metal.00042.wav", 22_050)
    return folder


def make_librispeech(folder: Path) -> Path:
    """Two speakers, with the text files that lie beside the audio."""
    for speaker, chapter in ((84, 121123), (174, 50561)):
        place = folder / "dev-clean" / str(speaker) / str(chapter)
        write_noise(place / f"{speaker}-{chapter}-0000.flac", 16_000)
        (place / f"{speaker}-{chapter}.trans.txt").write_text(f"{speaker}-{chapter}-0000 WORDS\n")
    return folder


def make_common_voice(folder: Path) -> Path:
    """One release in one language: two good clips, one refused, one in no table."""
    names = [f"common_voice_uk_{number}.mp3" for number in range(4)]
    for name in names:
        write_noise(folder / "uk/clips" / name, 32_000)
    header = "client_id\tpath\tsentence\tup_votes\tgender\tlocale\n"
    rows = [f'{"ab" * 4}{i}\t{name}\tHe said "hi\t2\t\tuk\n' for i, name in enumerate(names)]
    (folder / "uk/validated.tsv").write_text(header + rows[0] + rows[1])
    (folder / "uk/invalidated.tsv").write_text(header + rows[2])
    return folder


def make_musdb18_hq(folder: Path) -> Path:
    """Two tracks of the WAV edition."""
    for split, track in (("train", "A - Song"), ("test", "B - Tune")):
        for part in ("mixture", "vocals", "drums", "bass", "other"):
            write_noise(folder / split / track / f"{part}.wav")
    return folder
