"""The reference model, 76 M parameters and untrained: how much memory a file takes.

Training changes neither the size of a weight nor the length of a call, so untrained weights show
it. Ten minutes of audio take most of an hour on one core: EDGE_CODEC_MEMORY_TEST_S=600 does that.
"""

import os

import pytest

from edge_codec.benchmarks.memory import measure_files
from edge_codec.benchmarks.reference_model import make_reference_model
from edge_codec.runtime.bundle import load_bundle

LENGTH_S = float(os.environ.get("EDGE_CODEC_MEMORY_TEST_S", "10"))
LIMITS_MB = {"fp32": 400, "int8": 250}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_bundle(make_reference_model(tmp_path_factory.mktemp("large")).bundle)


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("precision", LIMITS_MB)
def test_files_stay_below_the_ceiling(model, precision):
    runs = measure_files(model, "onnx", precision, LENGTH_S)
    peaks_mb = {run.codec: run.rss_mb["peak"] for run in runs}
    print(precision, peaks_mb)
    assert max(peaks_mb.values()) <= LIMITS_MB[precision]
