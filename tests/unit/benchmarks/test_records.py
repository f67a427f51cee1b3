"""Records: strict reading of what strangers send, statistics that know noise, anonymous boards."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_codec.benchmarks.board import EMULATED_VARIABLE, read_board, read_conditions
from edge_codec.benchmarks.energy import EnergyMeter, pmic_watts
from edge_codec.benchmarks.graph_stages import stage_times_us
from edge_codec.benchmarks.record import Record, load_record
from edge_codec.benchmarks.schema import from_plain, to_json
from edge_codec.benchmarks.session import Session
from edge_codec.benchmarks.stats import (
    outlier_warning,
    ratio_of_fastest,
    ratio_of_medians,
    sum_up,
)
from edge_codec.runtime import load_bundle
from edge_codec.runtime.errors import ConfigError
from support.stub_bundle import STUB_BUNDLE


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    name: str
    values: list[int]
    maybe: float | None
    nested: dict[str, list[float]]


GOOD = {"name": "a", "values": [1, 2], "maybe": None, "nested": {"x": [1.5, 2]}}


def test_a_dataclass_comes_back_from_json():
    sample = from_plain(Sample, GOOD, "Sample")
    assert from_plain(Sample, json.loads(to_json(sample)), "Sample") == sample
    assert '"values": [1, 2],' in to_json(sample)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 1}, r"Sample\.name must be str, got 1"),
        ({"values": [1, "2"]}, r"Sample\.values\[1\] must be int"),
        ({"values": {}}, r"Sample\.values must be list"),
        ({"maybe": True}, r"Sample\.maybe must be float"),
        ({"nested": {"x": [float("nan")]}}, r"Sample\.nested\.x\[0\] must be a finite number"),
        ({"more": 1}, "unknown field 'more'"),
    ],
)
def test_what_is_wrong_is_named(change, message):
    with pytest.raises(ConfigError, match=message):
        from_plain(Sample, GOOD | change, "Sample")


def test_a_missing_field_is_named():
    with pytest.raises(ConfigError, match="Sample lacks nested"):
        from_plain(Sample, {key: GOOD[key] for key in ("name", "values", "maybe")}, "Sample")


@given(st.binary(max_size=200))
def test_any_bytes_are_one_error(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("records") / "record.json"
    path.write_bytes(data)
    with pytest.raises(ConfigError):
        load_record(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
)


@given(JSON)
def test_any_json_is_one_error(data):
    with pytest.raises(ConfigError):
        from_plain(Record, data, "Record")


def test_times_are_summed_up():
    stage = sum_up(np.array([1, 1, 1, 30]) * 1_000_000, np.array([1, 1, 1, 2]) * 1_000_000, 0.02)
    assert (stage.median_ms, stage.max_ms, stage.missed_deadlines) == (1, 30, 1)
    assert stage.real_time_factor == pytest.approx(33 / 80)
    assert stage.cpu_real_time_factor == pytest.approx(0.05)
    assert outlier_warning("x", stage) is None
    slow = sum_up([1_000_000] * 4, [100_000, 100_000, 100_000, 5_000_000], 0.02)
    assert "50 times the median" in outlier_warning("x", slow)


def noisy(rng, median_us, calls=250):
    """Times as a busy machine gives them: a spread, a drift, and spikes."""
    drift = 1 + 0.05 * np.sin(np.linspace(0, 6, calls) + rng.uniform(0, 6))
    return median_us * drift * rng.lognormal(0, 0.1, calls) + (rng.random(calls) < 0.03) * 5000


def test_a_fifth_is_seen_and_noise_is_not():
    rng = np.random.default_rng(1)
    same = [ratio_of_medians(noisy(rng, 500), noisy(rng, 500)) for _ in range(20)]
    slower = [ratio_of_medians(noisy(rng, 600), noisy(rng, 500)) for _ in range(20)]
    assert sum(ratio.differs_by(0.05) for ratio in same) == 0
    assert sum(ratio.differs_by(0.05) for ratio in slower) == 20


def crowded(rng, calls_N, slowed, share, rounds=40):
    """Rounds of calls of which a share, in stretches, is slowed down by what else runs."""
    times_RN = calls_N * rng.lognormal(0.02, 0.02, (rounds, len(calls_N)))
    in_stretches = np.repeat(rng.random(times_RN.size // 5) < share, 5).reshape(times_RN.shape)
    return np.where(in_stretches, times_RN * rng.normal(slowed, 0.1, times_RN.shape), times_RN)


def test_a_busy_machine_moves_medians_and_not_the_fastest_rounds():
    rng = np.random.default_rng(1)
    ours_N, theirs_N = np.full(50, 600.0), rng.uniform(200, 600, 50)  # what speech costs differs
    truth = 600 / theirs_N.mean()
    for share in (0.0, 0.5, 0.9):
        ours = crowded(rng, ours_N, 2.5, share)
        theirs = crowded(rng, theirs_N, 1.6, share)
        found = ratio_of_fastest(ours, theirs)
        assert found.ratio == pytest.approx(truth, rel=0.05)
        assert found.low_95 < truth < found.high_95
        assert found.high_95 / found.low_95 < (1.8 if share == 0.9 else 1.4)
    assert ratio_of_medians(ours.ravel(), theirs.ravel()).ratio > 1.3 * truth


def make_root(tmp_path, files):
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


PI = {
    "proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd crc32\nCPU part\t: 0xd03\n"
    "Serial\t\t: 00000000deadbeef\nModel\t\t: Raspberry Pi Zero 2 W Rev 1.0\n",
    "proc/meminfo": "MemTotal:      437248 kB\n",
    "proc/device-tree/model": "Raspberry Pi Zero 2 W Rev 1.0\0",
    "proc/device-tree/compatible": "raspberrypi,model-zero-2-w\0brcm,bcm2837\0",
    "proc/device-tree/serial-number": "00000000deadbeef\0",
    "etc/os-release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n',
    "etc/hostname": "secret-host\n",
    "sys/class/thermal/thermal_zone0/temp": "61234\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
    "sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
}


def test_a_board_is_described_without_its_owner(tmp_path, monkeypatch):
    monkeypatch.delenv(EMULATED_VARIABLE, raising=False)
    board = read_board(make_root(tmp_path, PI))
    assert board.model == "Raspberry Pi Zero 2 W Rev 1.0"
    assert (board.soc, board.cpu, board.cpu_features) == ("brcm,bcm2837", "Cortex-A53", ["asimd"])
    assert (board.memory_mb, board.governor, board.emulated) == (447, "ondemand", False)
    assert "deadbeef" not in to_json(board)
    assert "secret-host" not in to_json(board)
    conditions = read_conditions(tmp_path)
    assert conditions.temperature_c == pytest.approx(61.234)
    assert conditions.throttled is True


def test_an_empty_board_is_no_error(tmp_path):
    board = read_board(tmp_path)
    assert board.memory_mb == 0
    assert read_conditions(tmp_path).throttled is None


def test_energy_counters_wrap(tmp_path):
    zone = "sys/class/powercap/intel-rapl:0"
    root = make_root(tmp_path, {f"{zone}/energy_uj": "900", f"{zone}/max_energy_range_uj": "999"})
    meter = EnergyMeter(root)
    assert meter.name == "rapl"
    (root / zone / "energy_uj").write_text("100")
    assert meter.joules() == pytest.approx(200e-6)


def test_power_sensors_are_averaged_over_time(tmp_path):
    hwmon = "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3"
    files = {"in1_label": "VDD_IN\n", "in1_input": "5000", "curr1_input": "400"}
    root = make_root(tmp_path, {f"{hwmon}/{name}": text for name, text in files.items()})
    clock = iter([0.0, 3.0])
    meter = EnergyMeter(root, lambda: next(clock))
    (root / hwmon / "curr1_input").write_text("800")
    assert meter.name == "ina"
    assert meter.joules() == pytest.approx(3 * 3.0)


@pytest.mark.parametrize("gone", ["energy_uj", "max_energy_range_uj"])
def test_a_counter_that_vanishes_is_no_reading(tmp_path, gone):
    zone = "sys/class/powercap/intel-rapl:0"
    root = make_root(tmp_path, {f"{zone}/energy_uj": "900", f"{zone}/max_energy_range_uj": "999"})
    meter = EnergyMeter(root)
    (root / zone / gone).unlink()
    assert meter.joules() is None


@pytest.mark.parametrize("left", ["", "none"])
def test_a_sensor_that_vanishes_leaves_its_earlier_readings(tmp_path, left):
    hwmon = "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3"
    files = {"in1_label": "VDD_IN\n", "in1_input": "5000", "curr1_input": "400"}
    root = make_root(tmp_path, {f"{hwmon}/{name}": text for name, text in files.items()})
    clock = iter([0.0, 3.0])
    meter = EnergyMeter(root, lambda: next(clock))
    (root / hwmon / "curr1_input").write_text(left)
    assert meter.joules() == pytest.approx(3 * 2.0)


def test_a_board_without_a_meter_has_no_joules(tmp_path):
    assert EnergyMeter(tmp_path).joules() is None
    assert pmic_watts("nothing") is None


def test_stages_of_a_graph_are_told_apart_by_names():
    kernels = [("/MatMul", 5.0), ("/embed/MatMul", 20.0), ("fused_7", 30.0), ("/ArgMax", 4.0)]
    assert stage_times_us("encoder", [kernels, kernels]) == {"stft": 5, "encoder": 50, "rvq": 4}
    assert stage_times_us("decoder", [kernels]) == {}


def test_folders_of_whoever_measured_stay_out_of_a_record():
    session = Session(load_bundle(STUB_BUNDLE), skipped={"Lyra": "/home/ada/lyra/a.tflite is bad"})
    assert session.record().skipped == {"Lyra": "a.tflite is bad"}
