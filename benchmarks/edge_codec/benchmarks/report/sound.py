"""What was heard, for a page: audio players and spectrograms of one clip by every codec."""

import base64
import io
from typing import Any

import matplotlib as mpl
import numpy as np
import soundfile
from matplotlib.figure import Figure
from numpy.typing import NDArray

from edge_codec.benchmarks.coders.coder import SCORED_HZ, FloatArray
from edge_codec.benchmarks.report.plots import FAMILIES, family

SHOWN_PEERS = (
    "Codec2 1200", "Codec2 3200", "Lyra v2 3.2k", "Lyra v2 6k", "Opus 6k", "AMR-WB 6.60k",
)  # fmt: skip
"""Peers worth a player; all would be too many to listen to."""
_UNCLEAR = (" 0.5k", " 1k")
"""Our bitrates that show what remains, not how it sounds."""
SPECTROGRAM_S = 4.0
_WINDOW, _HOP = 512, 128
_FLOOR_DB = -80.0


def choose(heard: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """The codecs worth listening to: the original, ours, peers."""
    ours = [name for name in heard if family(name) not in FAMILIES and not name.endswith(_UNCLEAR)]
    return {name: heard[name] for name in (*ours, *SHOWN_PEERS) if name in heard}


def player(samples_T: FloatArray) -> str:
    """An HTML audio element that carries its own sound."""
    file = io.BytesIO()
    soundfile.write(file, samples_T, SCORED_HZ, format="FLAC", subtype="PCM_16")
    return f'<audio controls preload="none" src="data:audio/flac;base64,{_encoded(file)}"></audio>'


def spectrogram(samples_T: FloatArray) -> str:
    """An HTML image: time to the right, 0 to 8 kHz upwards, 80 dB of brightness."""
    levels_FB = _levels_db(samples_T[: int(SPECTROGRAM_S * SCORED_HZ)])
    figure = Figure(figsize=(4.2, 1.3), dpi=130)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(levels_FB.T, origin="lower", aspect="auto", cmap="magma", vmin=_FLOOR_DB, vmax=0)
    axes.set_axis_off()
    file = io.BytesIO()
    with mpl.rc_context({"savefig.facecolor": "black"}):
        figure.savefig(file, format="png")
    data = f"data:image/png;base64,{_encoded(file)}"
    return f'<img alt="spectrogram, 0 to 8 kHz" src="{data}">'


def _levels_db(samples_T: FloatArray) -> NDArray[np.floating[Any]]:
    frames_FW = np.lib.stride_tricks.sliding_window_view(samples_T, _WINDOW)[::_HOP]
    magnitudes = np.abs(np.fft.rfft(frames_FW * np.hanning(_WINDOW))) / (_WINDOW / 4)
    return np.asarray(20 * np.log10(np.maximum(magnitudes, 10 ** (_FLOOR_DB / 20))))


def _encoded(file: io.BytesIO) -> str:
    return base64.b64encode(file.getvalue()).decode("ascii")
