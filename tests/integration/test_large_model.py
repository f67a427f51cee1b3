"""The reference model, 76 M parameters and untrained: how much memory a file takes.

Training changes neither the size of a weight nor the length of a call, so untrained weights show
it. Ten minutes of audio take most of an hour on one core: EDGE_CODEC_MEMORY_TEST_S=600 does that.
"""

import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from support.repository import REPOSITORY

LENGTH_S = int(os.environ.get("EDGE_CODEC_MEMORY_TEST_S", "10"))
LIMITS_MB = {"fp32": 400, "int8": 250}
RATE_HZ = 44_100
COMMAND = """
import sys
from edge_codec.runtime import cli, meter
code = cli.main(sys.argv[1:])
print(meter.peak_rss_bytes() / 1e6)
sys.exit(code)
"""


def run(*words):
    """Peak of resident memory of an `edge-codec` command, in MB."""
    words = [str(word) for word in words]
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return float(done.stdout.split()[-1])


def write_noise(path, seconds, channels=2):
    rng = np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", RATE_HZ, channels, "PCM_16") as file:
        for _ in range(seconds):
            file.write(rng.normal(0, 0.1, (RATE_HZ, channels)))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("large")
    (folder / "audio").mkdir()
    write_noise(folder / "audio/noise.wav", 5, channels=1)
    (folder / "audio.csv").write_text("file,domain\nnoise.wav,environment\n")
    labelled = ["--manifest", folder / "audio.csv"]
    run("prepare", folder / "cache", folder / "audio", "--rate", RATE_HZ, *labelled)
    recipe = REPOSITORY / "training/recipes/thesis-44k.toml"
    trained = ["--data", folder / "cache", "--out", folder / "run", "--steps", 0]
    run("train", recipe, *trained)
    run("export", folder / "run/averaged", "--out", folder / "thesis-44k")
    return folder / "thesis-44k"


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("precision", LIMITS_MB)
def test_files_stay_below_the_ceiling(model, tmp_path, precision):
    write_noise(tmp_path / "in.wav", LENGTH_S)
    options = ["--model", model, "--precision", precision]
    coded, back = tmp_path / "in.ecf", tmp_path / "back.wav"
    encoding_mb = run("encode", tmp_path / "in.wav", coded, "--layers", 9, *options)
    decoding_mb = run("decode", coded, back, *options)
    print(f"{precision}: encode {encoding_mb:.0f} MB, decode {decoding_mb:.0f} MB")
    assert max(encoding_mb, decoding_mb) <= LIMITS_MB[precision]
    assert soundfile.info(back).frames == LENGTH_S * RATE_HZ
