"""`edge-codec evaluate`: score a bundle or a checkpoint on a folder of speech.

The only module of training that may run bundles: it puts them and the scorer together.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_codec.runtime.errors import ConfigError
from edge_codec.runtime.manifest import MANIFEST_NAME
from edge_codec.runtime.spec import CodecSpec

if TYPE_CHECKING:
    from edge_codec.training.evaluation import EncodeDecode, Evaluation

EXAMPLES = """examples:
  edge-codec evaluate voice-m speech/
  edge-codec evaluate voice-m speech/ --bitrate 1500 3000 --precision int8 --jobs 4 --json
"""
DEFAULT_LAYERS = (1, 2, 3, 6, 12)
"""Layers scored unless asked otherwise: 0.5, 1, 1.5, 3 and 6 kbit/s for the voice presets."""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the `evaluate` subcommand."""
    parser = subparsers.add_parser(
        "evaluate",
        help="score a model on a folder of speech",
        description="Score a model on every audio file of a folder: ViSQOL, PESQ-WB, STOI, ESTOI, "
        "mel distance, SI-SDR and codebook use, per bitrate.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="bundle name or directory, or checkpoint directory")
    parser.add_argument("folder", type=Path, help="folder of audio files, any rate")
    parser.add_argument(
        "--bitrate", type=float, nargs="+", metavar="BPS", help="bit/s (default: a spread)"
    )
    parser.add_argument("--precision", choices=["auto", "fp32", "int8"], default="auto")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="scoring processes")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Score and print.

    Raises:
        ConfigError: fewer than one scoring process was asked for.
        EdgeCodecError: the model or the clips cannot be read.
    """
    from edge_codec.training.evaluation import clips_in, evaluate, format_table

    if args.jobs < 1:
        raise ConfigError(f"--jobs must be 1 or more, got {args.jobs}")
    spec, encode_decode = _open_codec(args.model, args.precision)
    evaluation = evaluate(
        encode_decode,
        clips_in(args.folder, spec.sample_rate_hz),
        spec,
        layers=_layers(spec, args.bitrate),
        jobs=args.jobs,
        show_progress=True,
    )
    print(_as_json(args, evaluation) if args.json else format_table(evaluation))


def _layers(spec: CodecSpec, bitrates_bps: list[float] | None) -> list[int]:
    if bitrates_bps is None:
        return [count for count in DEFAULT_LAYERS if count < spec.layers] + [spec.layers]
    return [spec.layers_for(bitrate_bps) for bitrate_bps in bitrates_bps]


def _open_codec(model: str, precision: str) -> "tuple[CodecSpec, EncodeDecode]":
    folder = Path(model)
    if folder.is_dir() and not (folder / MANIFEST_NAME).exists():
        return _open_checkpoint(folder)
    return _open_bundle(model, precision)


def _open_bundle(model: str, precision: str) -> "tuple[CodecSpec, EncodeDecode]":
    from edge_codec.runtime.bundle import load_bundle
    from edge_codec.runtime.codec import StreamDecoder, StreamEncoder

    bundle = load_bundle(model)
    encoder = StreamEncoder(bundle, precision=precision)
    decoder = StreamDecoder(bundle, precision=precision)

    def encode_decode(audio_T: Any, layers: int) -> Any:
        encoder.reset()
        decoder.reset()
        codes_FK = encoder.push(audio_T)[:, :layers]
        return decoder.push(codes_FK), codes_FK

    return bundle.spec, encode_decode


def _open_checkpoint(folder: Path) -> "tuple[CodecSpec, EncodeDecode]":
    import torch

    from edge_codec.training.checkpoint import load_codec
    from edge_codec.training.codec import mask_layers

    codec, _, _ = load_codec(folder)

    @torch.inference_mode()
    def encode_decode(audio_T: Any, layers: int) -> Any:
        codes_1FK, _ = codec.encode_step(
            torch.from_numpy(audio_T)[None], codec.encoder.zero_state()
        )
        sent_1FK = mask_layers(codes_1FK, layers, codec.spec.codebook_size)
        decoded_1T, _ = codec.decode_step(sent_1FK, codec.decoder.zero_state())
        return decoded_1T[0].numpy(), codes_1FK[0, :, :layers].numpy()

    return codec.spec, encode_decode


def _as_json(args: argparse.Namespace, evaluation: "Evaluation") -> str:
    asked = {"model": args.model, "precision": args.precision, "dataset": args.folder.name}
    return json.dumps(asked | evaluation.to_dict(), indent=2)
