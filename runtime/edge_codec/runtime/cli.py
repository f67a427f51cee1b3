"""The command `edge-codec`: find the subcommand, run it, turn what goes wrong into one line.

Subcommands are entry points, so nothing here imports training, and only the module of the command
asked for is loaded. Exit codes: 0 done; 1 failed for a reason the user can act on; 2 wrong usage;
130 Ctrl-C; 70 a bug of ours.
"""

import argparse
import errno
import logging
import os
import re
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points, requires, version

from edge_codec.runtime.configuration import ConfigurableParser
from edge_codec.runtime.errors import EdgeCodecError, MissingExtraError

DISTRIBUTION = "edge-codec"
COMMANDS_GROUP = "edge_codec.commands"
DEBUG_VARIABLE = "EDGE_CODEC_DEBUG"

_REFUSED = {errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENOSPC, errno.EROFS}
"""Full disks and the like can strike any write, standard output's too; no bug of ours."""
EXIT_FAILED, EXIT_BUG, EXIT_STOPPED = 1, 70, 130

_EPILOG = f"""`edge-codec COMMAND --help` explains one command and gives examples.
{DEBUG_VARIABLE}=1 or --debug shows where an error comes from."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the words after `edge-codec`; default those of this process.

    Returns:
        The exit code.

    Raises:
        SystemExit: wrong usage, help or version, from argparse.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    _open_closed_streams()
    logging.basicConfig(format=f"{DISTRIBUTION}: %(message)s", force=True)
    logging.getLogger("edge_codec").setLevel(logging.INFO)
    try:
        args = _make_parser(words).parse_args(words)
        return int(args.run(args) or 0)
    except KeyboardInterrupt:
        return EXIT_STOPPED
    except BrokenPipeError:
        _silence_standard_output()
        return EXIT_FAILED
    except Exception as error:
        if _was_interrupted(error):
            return EXIT_STOPPED
        is_debug = "--debug" in words or bool(os.environ.get(DEBUG_VARIABLE))
        return _report(_explain(error), is_debug)


def _open_closed_streams() -> None:
    """Replace closed standard streams: else the next file opened would take their place."""
    for descriptor, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None and os.open(os.devnull, os.O_RDWR) == descriptor:
            setattr(sys, name, open(descriptor, mode, closefd=False, encoding="utf-8"))  # noqa: SIM115


def _find_commands(words: list[str]) -> list[EntryPoint]:
    """The entry point of the command that is asked for; all of them if it is none of these."""
    found = {entry.name: entry for entry in entry_points(group=COMMANDS_GROUP)}
    name = next((word for word in words if not word.startswith("-")), "")
    return [found[name]] if name in found else list(found.values())


def _make_parser(words: list[str]) -> argparse.ArgumentParser:
    parser = ConfigurableParser(
        prog=DISTRIBUTION,
        description="Speech at 0.5 to 6 kbit/s: in files, and live over radio links.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=version(DISTRIBUTION))
    parser.add_argument("--debug", action="store_true", help="show where an error comes from")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for entry in _find_commands(words):
        entry.load()(subparsers)
    for command in subparsers.choices.values():
        command.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )
    return parser


def _was_interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind it: libraries that are being loaded make other errors of it."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _explain(error: Exception) -> Exception:
    """The error a user can act on behind `error`, or `error` itself."""
    if isinstance(error, OSError) and error.errno in _REFUSED:
        name = f"{error.filename}: " if error.filename else ""
        return EdgeCodecError(f"{name}{error.strerror}; check the place, rights and free space")
    if isinstance(error, ImportError) and (extras := _extras_with(error.name or "")):
        choice = " or ".join(f"pip install '{DISTRIBUTION}[{extra}]'" for extra in extras)
        return MissingExtraError(f"the package {error.name!r} is not installed; run {choice}")
    return error


def _extras_with(module: str) -> list[str]:
    """The extras that bring an importable package; none if the base install must have it."""
    package = module.partition(".")[0].lower()
    return [
        match["extra"]
        for line in requires(DISTRIBUTION) or []
        if (match := re.match(r"(?P<name>[\w.-]+).*extra *== *['\"](?P<extra>[\w-]+)", line))
        and package in (match["name"].lower(), match["name"].lower().partition("-")[0])
    ]


def _report(error: Exception, is_debug: bool) -> int:
    from edge_codec.firmware_bridge.errors import LinkError  # noqa: PLC0415  the link is slow to load

    is_expected = isinstance(error, EdgeCodecError | LinkError)
    if is_debug or not is_expected:
        traceback.print_exception(error)
    message = " ".join(str(error).split())
    if is_expected:
        print(f"{DISTRIBUTION}: {message}", file=sys.stderr)
        return EXIT_FAILED
    print(f"{DISTRIBUTION}: this is a bug; please report it with the lines above", file=sys.stderr)
    return EXIT_BUG


def _silence_standard_output() -> None:
    """Let the interpreter's last flush go nowhere: whoever read standard output has left."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
