"""Well-known speech and music data sets, recognised by how they name their files.

A layout says what a file's path tells of its content, and which files hold nothing of their own.
Paths are labels here: nothing is opened but the tables of Common Voice.
"""

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edge_codec.runtime.errors import ConfigError

Labels = dict[str, str]

RAVDESS_EMOTIONS = (
    "neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"
)  # fmt: skip
"""Third field of a RAVDESS file name, from 01."""
_GTZAN_GENRES = "blues|classical|country|disco|hiphop|jazz|metal|pop|reggae|rock"
_MUSDB = re.compile(r"(?:.*/)?(?P<split>train|test)/(?P<track>[^/]+)(?P<end>\.stem\.mp4|/\w+\.wav)")
_MUSDB_PARTS = frozenset({"/vocals.wav", "/drums.wav", "/bass.wav", "/other.wav"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What a layout says of one file."""

    labels: Labels = field(default_factory=dict)
    """Column -> value, as a CSV manifest would have it."""
    refusal: str = ""
    """Why the file is not taken, if it is not."""


def find_labels(path: str) -> Finding:
    """What is known of a file from its path, source included; nothing for a path of no layout.

    >>> find_labels("LibriSpeech/dev-clean/84/121123/84-121123-0000.flac").labels["speaker"]
    '84'
    """
    findings = (finding for rule in _RULES if (finding := rule(path)))
    return next(findings, Finding())


def find_common_voice(folder: Path) -> dict[str, Finding]:
    """Path below `folder` -> what the tables of the Common Voice releases there say of that clip.

    Raises:
        ConfigError: a table cannot be read.
    """
    found: dict[str, Finding] = {}
    for table in sorted(folder.rglob("*.tsv")):
        clips = table.parent / "clips"
        if clips.is_dir():
            place = clips.relative_to(folder).as_posix()
            is_refused = table.stem == "invalidated"
            for row in _read_table(table):
                labels = _labels_of_row(row)
                refusal = "its listeners refused it (invalidated.tsv)" if is_refused else ""
                known = found.get(f"{place}/{row['path']}", Finding())
                found[f"{place}/{row['path']}"] = Finding(
                    labels=known.labels | labels, refusal=known.refusal or refusal
                )
    return found


def _read_table(path: Path) -> Iterator[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                if row.get("path") and row.get("client_id"):
                    yield row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: cannot be read as a table ({error}); get it again") from error


def _labels_of_row(row: dict[str, str]) -> Labels:
    columns = {"speaker": "client_id", "language": "locale", "gender": "gender"}
    labels = {label: row[column] for label, column in columns.items() if row.get(column)}
    return labels | {"domain": "speech", "corpus": "common-voice"}


def _rule(corpus: str, pattern: str, read: Callable[[re.Match[str]], Labels]) -> "_Rule":
    expression = re.compile(rf"(?:.*/)?{pattern}")

    def find(path: str) -> Finding | None:
        match = expression.fullmatch(path)
        return Finding(labels=read(match) | {"corpus": corpus}) if match else None

    return find


def _read_ravdess(match: re.Match[str]) -> Labels:
    return {
        "domain": "music" if match["channel"] == "2" else "speech",
        "language": "en",
        "speaker": f"ravdess-{match['actor']}",
        "gender": "female" if int(match["actor"]) % 2 == 0 else "male",
        "emotion": RAVDESS_EMOTIONS[int(match["emotion"]) - 1],
    }


def _read_librispeech(match: re.Match[str]) -> Labels:
    return {"domain": "speech", "language": "en", "speaker": match["speaker"]}


def _read_gtzan(match: re.Match[str]) -> Labels:
    return {"domain": "music", "genre": match["genre"]}


def _read_common_voice(match: re.Match[str]) -> Labels:
    return {"domain": "speech", "language": match["language"]}


def _find_musdb(path: str) -> Finding | None:
    match = _MUSDB.fullmatch(path)
    if match is None:
        return None
    if match["end"] in _MUSDB_PARTS:
        return Finding(refusal="a part of its mixture.wav")
    if match["end"] not in (".stem.mp4", "/mixture.wav"):
        return None
    return Finding(labels={"domain": "music", "corpus": "musdb18", "split": match["split"]})


_Rule = Callable[[str], Finding | None]
_RULES: tuple[_Rule, ...] = (
    _find_musdb,
    _rule(
        "ravdess",
        r"Actor_(?P<actor>\d\d)/0[123]-0(?P<channel>[12])-0(?P<emotion>[1-8])"
        r"-0[12]-0[12]-0[12]-(?P=actor)\.wav",
        _read_ravdess,
    ),
    _rule("gtzan", rf"(?P<genre>{_GTZAN_GENRES})/(?P=genre)\.\d{{5}}\.(?:au|wav)", _read_gtzan),
    _rule(
        "librispeech",
        r"(?P<speaker>\d+)/(?P<chapter>\d+)/(?P=speaker)-(?P=chapter)-\d{4}\.flac",
        _read_librispeech,
    ),
    _rule(
        "common-voice",
        r"clips/common_voice_(?P<language>[\w-]+)_\d+\.mp3",
        _read_common_voice,
    ),
)
