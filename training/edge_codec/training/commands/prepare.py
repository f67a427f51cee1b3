"""`edge-codec prepare`: decode folders and tars of audio into a cache to train from."""

import argparse
import sys
from pathlib import Path

from edge_codec.runtime.errors import ConfigError

EXAMPLES = """examples:
  edge-codec prepare cache/ speech-0.tar speech-1.tar --jobs 4
  edge-codec prepare cache/ recordings/ --rate 24000 --manifest recordings.csv
  edge-codec prepare cache/ voices/ music.tar --rate 44100 --manifest music.csv --domain speech
  edge-codec prepare shards/07 corpus/ --shard 7/100
  edge-codec prepare cache/ musdb18/train cv-corpus-17.0/uk noises/ --rate 44100
"""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the `prepare` subcommand."""
    parser = subparsers.add_parser(
        "prepare",
        help="decode audio into a cache to train from",
        description="Decode every WAV, FLAC, Ogg, Opus, MP3 and .stem.mp4 file of folders and tar "
        "archives to 16-bit mono samples in one file, with a manifest of loudness, bandwidth and "
        "labels. MUSDB18, Common Voice, GTZAN, RAVDESS and LibriSpeech are recognised by their "
        "file names and tables. A run that was stopped goes on when started again.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("out", type=Path, help="folder to make")
    parser.add_argument("sources", type=Path, nargs="+", metavar="SOURCE", help="folder or tar")
    parser.add_argument("--rate", type=int, default=16_000, metavar="HZ", help="default: 16000")
    parser.add_argument(
        "--manifest",
        type=Path,
        action="append",
        default=[],
        metavar="CSV",
        help="column `file`, and speaker, domain, ...; may be given again",
    )
    parser.add_argument(
        "--domain", default="", metavar="NAME", help="domain of files of which none is known"
    )
    parser.add_argument(
        "--shard", type=_shard, default=(0, 1), metavar="I/N", help="every N-th file, from the I-th"
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="decoding processes")
    parser.set_defaults(run=run)


def _shard(text: str) -> tuple[int, int]:
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise argparse.ArgumentTypeError(f"expected I/N with I from 0 to N - 1, got {text!r}")
    return int(index), int(count)


def run(args: argparse.Namespace) -> None:
    """Prepare and say what was made and what was left out.

    Raises:
        ConfigError: a flag, source or manifest is not valid.
        AudioError: nothing could be used, or the disk is full.
    """
    from edge_codec.training.preparation import load_labels, prepare

    if args.jobs < 1 or args.rate < 1:
        raise ConfigError("--jobs and --rate must be 1 or more")
    labels = {file: row for csv in args.manifest for file, row in load_labels(csv).items()}
    made = prepare(
        args.out,
        args.sources,
        rate_hz=args.rate,
        labels=labels,
        domain=args.domain,
        shard=args.shard,
        jobs=args.jobs,
        show_progress=True,
    )
    for name, reason in made.skipped.items():
        print(f"skipped {name}: {reason}", file=sys.stderr)
    if made.missing:
        print(
            f"edge-codec: {len(made.missing)} of {len(labels)} files in the manifests are in no "
            f"source, such as {made.missing[0]!r}",
            file=sys.stderr,
        )
    hours = made.audio_s / 3600
    print(f"{args.out}: {made.clips} clips, {hours:.2f} h; {len(made.skipped)} files skipped")
