"""Port URLs taken apart: scheme, place, options. Knows no device."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from edge_codec.runtime.errors import PortError


@dataclass(frozen=True, slots=True)
class PortUrl:
    """`scheme://place?option=value&...`; a bare path has no scheme."""

    text: str
    """As the user wrote it."""
    scheme: str
    place: str
    """Path, or host and port."""
    options: dict[str, str]

    @classmethod
    def parse(cls, text: str) -> "PortUrl":
        """Take a URL apart; `?` in a file's name belongs to the name."""
        scheme, separator, rest = text.partition("://")
        if not separator:
            scheme, rest = "", text
        if not (separator or text.startswith("/dev/")):
            return cls(text, "", text, {})
        place, _, query = rest.partition("?")
        return cls(text, scheme, place, dict(parse_qsl(query, keep_blank_values=True)))

    def check_options(self, known: Iterable[str]) -> None:
        """Raise PortError for an option that this kind of port does not have."""
        known = list(known)
        for name in self.options.keys() - known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"it knows {', '.join(known) or 'none'}"
            raise PortError(f"{self.text} has no option {name}: {hint}")

    def is_on(self, option: str, *, default: bool = False) -> bool:
        """Whether an option that is on (1, or just named) or off (0) is on."""
        value = self.options.get(option, str(int(default)))
        if value not in ("", "0", "1"):
            raise PortError(f"{self.text}: {option} is 0 or 1, got {value}")
        return value != "0"

    def host_and_port(self, *, needs_host: bool) -> tuple[str, int]:
        """Where datagrams or connections go.

        Raises:
            PortError: one is missing.
        """
        form = f"write {self.scheme}://HOST:PORT"
        try:
            parts = urlsplit(f"//{self.place}")
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise PortError(f"{self.text}: {error}; {form}") from error
        if port is None or (needs_host and not host):
            raise PortError(f"{self.text} has no {'host' if port else 'port'}: {form}")
        return host, port
