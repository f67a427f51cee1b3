"""Arithmetic coding in whole numbers of any length: an interval, divided again and again.

A message is a point in [0, 1). Each symbol takes its share of the interval, so likely symbols
cost few bits. Python's whole numbers grow as needed: nothing is rounded, no carry is chased, and
the same bits mean the same symbols on every machine. A unit has a few hundred symbols.

What is cut behind any bit still says the symbols that all continuations agree on.
"""


class IntervalWriter:
    """Symbols to the bits of one message of fixed length."""

    def __init__(self, bits: int) -> None:
        """Nothing is written; `bits` is the length of the message."""
        self._low, self._width, self._whole = 0, 1 << bits, 1
        """The interval and the whole, in fractions of the message's last bit that get finer."""
        self._sizes: list[tuple[int, int, int]] = []
        """What they were behind each symbol."""

    def put(self, start: int, size: int, total: int) -> bool:
        """Add a symbol whose share is [start, start + size) of `total`.

        Returns:
            Whether there is room for more: whether the next ones can change the message.
        """
        self._low = self._low * total + start * self._width
        self._width *= size
        self._whole *= total
        self._sizes.append((self._low, self._width, self._whole))
        if self._width > self._whole:  # true without a division, until the end is near
            return True
        return self._low // self._whole != (self._low + self._width - 1) // self._whole

    def message(self) -> int:
        """The message as a number of `bits` bits."""
        inside = -(-self._low // self._whole)
        is_whole = (inside + 1) * self._whole <= self._low + self._width
        return inside if is_whole else self._low // self._whole

    def said(self) -> int:
        """How many symbols the message says: those that all its continuations agree on."""
        point = self.message()
        for count in range(len(self._sizes), 0, -1):
            low, width, whole = self._sizes[count - 1]
            if low <= point * whole and (point + 1) * whole <= low + width:
                return count
        return 0


class IntervalReader:
    """The symbols in the bits of one message, whatever they are."""

    def __init__(self, message: int, bits: int) -> None:
        """Nothing is read; the message is a number of `bits` bits."""
        self._offset, self._width, self._unit = message, 1 << bits, 1

    def position(self, total: int) -> int:
        """Where in [0, total) the next symbol must lie."""
        return self._offset * total // self._width

    def take(self, start: int, size: int, total: int) -> bool:
        """Go on into the symbol that holds `position`.

        Returns:
            Whether the message is surely in it; if not, it ends before this symbol.
        """
        self._offset = self._offset * total - start * self._width
        self._width *= size
        self._unit *= total
        return self._offset + self._unit <= self._width
