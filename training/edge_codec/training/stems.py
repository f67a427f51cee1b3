"""The mixture of a native-instruments stem file (MUSDB18's .stem.mp4), decoded by PyAV.

Such a file has five stereo tracks: the mixture first, then drums, bass, the rest and vocals.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_codec.runtime.errors import AudioError, MissingExtraError

SUFFIX = ".stem.mp4"


def iter_mixture(path: Path) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Sample rate and the next samples [T, C] of the first audio track.

    Raises:
        AudioError: it cannot be decoded, or has no audio track.
        MissingExtraError: PyAV is not installed.
    """
    try:
        import av  # noqa: PLC0415  an extra of its own
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{path.name} needs PyAV: pip install 'edge-codec[stems]'"
        ) from error
    try:
        with av.open(str(path)) as file:
            if not file.streams.audio:
                raise AudioError(f"{path}: holds no audio track")
            converter = av.AudioResampler(format="fltp")
            for frame in file.decode(file.streams.audio[0]):
                for planar in converter.resample(frame):
                    yield planar.sample_rate, np.asarray(planar.to_ndarray().T, np.float32)
    except av.FFmpegError as error:
        raise AudioError(f"{path}: cannot be read as audio: {error.strerror}") from error
