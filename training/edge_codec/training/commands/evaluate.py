"""`edge-codec evaluate`: score a bundle or a checkpoint on a folder of speech.

The only module of training that may run bundles: it puts them and the scorer together.
"""

import argparse
import json
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_codec.runtime.errors import ConfigError
from edge_codec.runtime.manifest import MANIFEST_NAME
from edge_codec.runtime.spec import CodecSpec

if TYPE_CHECKING:
    from edge_codec.runtime.packing import Packing
    from edge_codec.training.evaluation import Coder, Evaluation

EXAMPLES = """examples:
  edge-codec evaluate voice-m speech/
  edge-codec evaluate voice-m speech/ --bitrate 1500 3000 --precision int8 --jobs 4 --json
  edge-codec evaluate voice-m speech/ --bitrate 3000 --frame-loss 0.1 --seed 1
  edge-codec evaluate runs/audio-44k GTZAN/ --mode audio --json
"""
DEFAULT_LAYERS = (1, 2, 3, 6, 12)
"""Layers scored unless asked otherwise: 0.5, 1, 1.5, 3 and 6 kbit/s for the voice presets."""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the `evaluate` subcommand."""
    parser = subparsers.add_parser(
        "evaluate",
        help="score a model on a folder of audio",
        description="Score a model on every audio file of a folder, per bitrate. As speech: "
        "ViSQOL, PESQ-WB, STOI, ESTOI. As audio: ViSQOL at 48 kHz. Both: mel, log-STFT and "
        "scale-invariant distance, bits and compression ratio of the .ecf files, bitrate "
        "efficiency.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="bundle name or directory, or checkpoint directory")
    parser.add_argument("folder", type=Path, help="folder of audio files, any rate")
    parser.add_argument(
        "--bitrate", type=float, nargs="+", metavar="BPS", help="bit/s (default: a spread)"
    )
    parser.add_argument(
        "--mode", choices=["speech", "audio"], help="default: speech for codecs of up to 24 kHz"
    )
    parser.add_argument(
        "--frame-loss", type=float, default=0.0, metavar="SHARE", help="frames lost at random"
    )
    parser.add_argument("--seed", type=int, default=1, help="decides which frames are lost")
    parser.add_argument("--precision", choices=["auto", "fp32", "int8"], default="auto")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="scoring processes")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Score and print.

    Raises:
        ConfigError: a flag is out of range.
        EdgeCodecError: the model or the clips cannot be read.
    """
    from edge_codec.training.evaluation import Conditions, clips_in, evaluate, format_table
    from edge_codec.training.measures import SPEECH_UP_TO_HZ

    if args.jobs < 1:
        raise ConfigError(f"--jobs must be 1 or more, got {args.jobs}")
    if not 0 <= args.frame_loss < 1:
        raise ConfigError(f"--frame-loss is a share from 0 to 1, got {args.frame_loss}")
    spec, coder, packing = _open_codec(args.model, args.precision)
    is_speech = spec.sample_rate_hz <= SPEECH_UP_TO_HZ
    evaluation = evaluate(
        coder,
        clips_in(args.folder, spec.sample_rate_hz),
        spec,
        layers=_layers(spec, args.bitrate),
        conditions=Conditions(
            mode=args.mode or ("speech" if is_speech else "audio"),
            frame_loss=args.frame_loss,
            seed=args.seed,
            file_bits=partial(_file_bits, spec, packing),
            carried=partial(_carried, spec, packing),
        ),
        jobs=args.jobs,
        show_progress=True,
    )
    print(_as_json(args, evaluation) if args.json else format_table(evaluation))


def _layers(spec: CodecSpec, bitrates_bps: list[float] | None) -> list[int]:
    if bitrates_bps is None:
        return [count for count in DEFAULT_LAYERS if count < spec.layers] + [spec.layers]
    return [spec.layers_for(bitrate_bps) for bitrate_bps in bitrates_bps]


def _carried(spec: CodecSpec, packing: "Packing", codes_FK: Any, layers: int) -> Any:
    """What the packets of a bitrate carry of these codes."""
    import numpy as np

    from edge_codec.firmware_bridge.profile import MAX_LAYERS, profile_for
    from edge_codec.runtime.packing import pack_units, unpack_units

    profile = profile_for(min(layers, MAX_LAYERS), spec.bits_per_code, spec.frame_rate_hz)
    frames = profile.frames_per_superframe
    numbers_FL = pack_units(packing, codes_FK, layers, frames)
    unpacked_FL, _ = unpack_units(packing, numbers_FL, np.full(len(codes_FK), layers), frames)
    missing = spec.layers - unpacked_FL.shape[1]
    return np.pad(unpacked_FL, ((0, 0), (0, missing)), constant_values=spec.codebook_size)


def _file_bits(
    spec: CodecSpec, packing: "Packing", codes_FK: Any, layers: int, samples: int
) -> int:
    """Bits of the `.ecf` file of one channel of codes."""
    from edge_codec.runtime.ecf import EcfHeader, EcfWriter

    header = EcfHeader.for_codec(
        spec,
        channels=1,
        layers=layers,
        model_name="",
        model_hash="00" * 32,  # as long as a real one
        source_rate_hz=spec.sample_rate_hz,
        source_channels=1,
    )
    writer = EcfWriter(BytesIO(), header, packing=packing)
    writer.write(codes_FK[:, None, : packing.needed_layers(layers)])
    writer.finish(length_samples=samples, loudness_dbfs=0.0)
    return 8 * writer.written_bytes


def _open_codec(model: str, precision: str) -> "tuple[CodecSpec, Coder, Packing]":
    folder = Path(model)
    if folder.is_dir() and not (folder / MANIFEST_NAME).exists():
        return _open_checkpoint(folder)
    return _open_bundle(model, precision)


def _open_bundle(model: str, precision: str) -> "tuple[CodecSpec, Coder, Packing]":
    from edge_codec.runtime.bundle import load_bundle
    from edge_codec.runtime.codec import StreamDecoder, StreamEncoder

    bundle = load_bundle(model)
    encoder = StreamEncoder(bundle, precision=precision)
    decoder = StreamDecoder(bundle, precision=precision)

    class BundleCoder:
        def encode(self, audio_T: Any) -> Any:
            encoder.reset()
            return encoder.push(audio_T)

        def decode(self, codes_FK: Any) -> Any:
            decoder.reset()
            return decoder.push(codes_FK)

    return bundle.spec, BundleCoder(), bundle.open_packing()


def _open_checkpoint(folder: Path) -> "tuple[CodecSpec, Coder, Packing]":
    from edge_codec.runtime.packing import open_packing
    from edge_codec.training.checkpoint import CONTEXT_FILE, load_codec
    from edge_codec.training.coders import CodecCoder

    codec, _, _ = load_codec(folder)
    context = folder / CONTEXT_FILE
    packing = open_packing(context if context.exists() else None, codec.spec)
    return codec.spec, CodecCoder(codec), packing


def _as_json(args: argparse.Namespace, evaluation: "Evaluation") -> str:
    asked = {"model": args.model, "precision": args.precision, "dataset": args.folder.name}
    return json.dumps(asked | evaluation.to_dict(), indent=2)
