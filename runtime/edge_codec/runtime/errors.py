"""Errors a user can act on: each message says what happened, what was expected, what to do next.

Standard library only; training and export raise these too.
"""


class EdgeCodecError(Exception):
    """An expected failure: one line on stderr, exit code 1."""


class ConfigError(EdgeCodecError):
    """A recipe, flag or configuration file is not valid."""


class BundleError(EdgeCodecError):
    """A model bundle is missing, damaged or not what its manifest says."""


class BundleVersionError(BundleError):
    """The bundle's format is newer or older than this release reads."""


class ParityError(BundleError):
    """Two forms of one model disagree by more than the stated limit."""


class CodeRangeError(EdgeCodecError):
    """A code or a layer count lies outside what the codec allows."""


class PortError(EdgeCodecError):
    """A serial line, socket or pty could not be opened, or was lost."""


class AudioError(EdgeCodecError):
    """An audio file or device cannot be read or written."""


class MissingExtraError(EdgeCodecError):
    """A package of an optional extra is not installed."""
