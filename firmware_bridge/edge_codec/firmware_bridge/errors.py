"""Errors of the link. It stands alone: nothing here knows the codec or the runtime.

Noise on the line is never an error; it becomes an event and a counter.
"""


class LinkError(Exception):
    """An expected failure of the link: one line on stderr, exit code 1."""


class LocalLinkError(LinkError):
    """The caller asked for something the link cannot do; its state is unchanged."""
