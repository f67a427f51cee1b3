"""A progress bar over a stream of audio. Knows seconds only."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

FloatArray = npt.NDArray[np.float32]

_KNOWN = "{percentage:3.0f} % |{bar}| {n:.0f} of {total:.0f} s [{elapsed}, {remaining} left]"
_UNKNOWN = "{n:.0f} s [{elapsed}]"


def with_progress(
    chunks: Iterable[FloatArray], sample_rate_hz: int, total_s: float | None
) -> Iterator[FloatArray]:
    """Yield the chunks [T, C] while a bar on standard error follows, if that is a terminal."""
    with tqdm(
        total=total_s,
        bar_format=_UNKNOWN if total_s is None else _KNOWN,
        disable=None,  # on anything but a terminal
        leave=False,
    ) as bar:
        for chunk in chunks:
            yield chunk
            bar.update(len(chunk) / sample_rate_hz)
