"""Measures everything that the pages show, on this machine, and writes the pages.

    python -m edge_codec.benchmarks.all_records --clips speech/ --music music/ --lyra-models lyra/

Each part is a record of its own in `benchmarks/reports/<architecture>/`, written as soon as it is
measured: what was stopped goes on with `--only`. A newer record takes the place of an older one of
the same model and part in the pages; older ones are deleted when a newer one has been written.
A record names the commit that it measured, so the source must be committed and on main.
"""

import argparse
import platform
import shlex
import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from edge_codec.benchmarks import pages
from edge_codec.benchmarks.benches import Plan, measure
from edge_codec.benchmarks.reference_model import NAME, make_reference_model
from edge_codec.benchmarks.reports import REPORTS, REPOSITORY, store
from edge_codec.benchmarks.source import source_doubts
from edge_codec.runtime.errors import EdgeCodecError

OF_AUDIO = ("latency", "ram", "thesis")
OF_MODELS = ("latency", "ram", "link", "thesis", "quality")
PARTS = (*OF_MODELS, "files")
SECONDS = 10.0
FILE_S = (10.0, 60.0)
"""Lengths of the files that `thesis-44k` codes: memory must not grow with them."""
TORCH_S = (4.0, 10.0)
"""Lengths that torch codes whole: there it does grow."""
TORCH = "edge_codec.training.whole_file"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, write records, then the pages; 1 if something failed."""
    args = _parse(argv)
    try:
        if doubts := source_doubts():
            raise EdgeCodecError(f"{'; '.join(doubts)}: land the source, then measure it")
        for plan in chain(plans(args), audio_plans(args), reference_plans(args)):
            print(f"{plan.what} of {Path(plan.model).name}", flush=True)
            path = store(measure(plan).record, REPORTS / platform.machine())
            print(f"wrote {path.relative_to(REPOSITORY)}", flush=True)
    except EdgeCodecError as error:
        print(f"bench-records: {error}", file=sys.stderr)
        return 1
    return pages.main()


def plans(args: argparse.Namespace) -> Iterator[Plan]:
    """What there is to measure: the first model beside all others, the rest by themselves."""
    folders = _given(args.clips, args.music)
    for model in pages.MODELS:
        is_first = model == pages.MODELS[0]
        for what in (part for part in args.only if part in OF_MODELS):
            if (what in ("link", "thesis") and not is_first) or (what == "thesis" and not folders):
                continue
            yield Plan(
                what=what,
                model=str(REPOSITORY / "models" / model),
                seconds=SECONDS,
                clips=args.clips,
                folders=folders,
                lyra_models=args.lyra_models,
                has_peers=is_first,
                threads=2 if is_first and what == "latency" else 1,
                jobs=args.jobs,
            )


def audio_plans(args: argparse.Namespace) -> Iterator[Plan]:
    """What there is to measure of the model for any audio: cost, and the thesis' table."""
    folders = _given(args.clips, args.music, args.environment)
    for what in (part for part in args.only if part in OF_AUDIO and (part != "thesis" or folders)):
        model = str(REPOSITORY / "models" / pages.AUDIO_MODEL)
        yield Plan(what=what, model=model, seconds=SECONDS, folders=folders, has_peers=False)


def _given(*folders: Path | None) -> tuple[Path, ...]:
    return tuple(folder for folder in folders if folder is not None)


def reference_plans(args: argparse.Namespace) -> Iterator[Plan]:
    """Memory of the reference model with whole files, beside the same net in torch.

    Raises:
        EdgeCodecError: the model cannot be made.
    """
    if "files" not in args.only:
        return
    made = make_reference_model(args.work / NAME)
    yield Plan(
        what="ram",
        model=str(made.bundle),
        file_seconds=FILE_S,
        watched=tuple(
            f"the net in torch, whole file of {seconds:g} s="
            + shlex.join([sys.executable, "-m", TORCH, str(made.checkpoint), str(seconds)])
            for seconds in TORCH_S
        ),
        has_peers=False,
    )


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="edge_codec.benchmarks.all_records")
    parser.add_argument("--clips", type=Path, help="speech that no model learnt from")
    parser.add_argument("--music", type=Path, help="music, for the thesis' table")
    parser.add_argument("--environment", type=Path, help="other sounds, for the thesis' table")
    parser.add_argument("--lyra-models", type=Path, help="folder of Lyra v2's graphs")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="default: all")
    parser.add_argument("--work", type=Path, default=Path(".cache"), help="kept files")
    parser.add_argument("--jobs", type=int, default=1, help="processes that score")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
