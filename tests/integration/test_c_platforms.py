"""The C library under every tool that is here: compilers, CMake, valgrind, a fuzzer, a board."""

import json
import os
import re
import shutil
import subprocess

import pytest

from support import c_link
from support.c_link import BRIDGE, C_FOLDER
from support.repository import REPOSITORY

SOURCES = sorted(path.name for path in C_FOLDER.glob("*.c"))
PROGRAMS = ["test_packet", "test_raw", "test_bridge"]
FUZZER = ("-g", "-O1", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all")
ARDUINO = REPOSITORY / "tests" / "support" / "arduino"
CORTEX_M3 = C_FOLDER / "tests" / "cortex_m3"


def tool(name, package):
    """Its path; without it the test is skipped."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed: apt install {package}")
    return shutil.which(name)


@pytest.mark.parametrize("program", PROGRAMS)
def test_clang_has_nothing_to_complain_of(program, tmp_path):
    clang = tool("clang", "clang")
    c_link.run(c_link.build(program, tmp_path, *c_link.SANITIZE, compiler=clang))


def test_headers_are_good_for_cplusplus(tmp_path):
    compiler = tool("g++", "g++")
    program = tmp_path / "headers.cpp"
    program.write_text('#include "edge_raw.h"\nint main() { return EDGE_OK; }\n')
    flags = ["-std=c++11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]
    subprocess.run([compiler, *flags, f"-I{C_FOLDER}", program], check=True)


def test_the_arduino_sketch_compiles(tmp_path):
    compiler = tool("g++", "g++")
    flags = ["-std=c++11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c++"]
    for board in ("-DARDUINO_ARCH_ESP32", "-DARDUINO_ARCH_SAMD"):
        folders = [f"-I{path}" for path in (ARDUINO, C_FOLDER, BRIDGE)]
        subprocess.run([compiler, *flags, board, *folders, BRIDGE / "bridge.ino"], check=True)


def test_every_build_system_knows_every_source():
    for path in (C_FOLDER / "CMakeLists.txt", C_FOLDER / "zephyr" / "CMakeLists.txt"):
        assert sorted(set(re.findall(r"\bedge_\w+\.c\b", path.read_text()))) == SOURCES
    platformio = json.loads((C_FOLDER / "library.json").read_text())
    assert platformio["build"]["srcFilter"] == ["+<edge_*.c>"]
    assert all(name.startswith("edge_") for name in SOURCES)


def test_manifests_name_the_same_library():
    platformio = json.loads((C_FOLDER / "library.json").read_text())
    lines = (C_FOLDER / "library.properties").read_text().splitlines()
    arduino = dict(line.split("=", 1) for line in lines)
    required = {"name", "version", "author", "maintainer", "sentence", "paragraph", "category"}
    assert {*required, "architectures"} <= arduino.keys()
    assert arduino["name"] == platformio["name"]
    assert arduino["version"] == platformio["version"]
    for header in arduino["includes"].split(","):
        assert (C_FOLDER / header).is_file()
    assert arduino["includes"].split(",") == platformio["headers"]
    assert f"VERSION {arduino['version']}" in (C_FOLDER / "CMakeLists.txt").read_text()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("program", PROGRAMS)
def test_valgrind_sees_no_fault(program, tmp_path):
    valgrind = tool("valgrind", "valgrind")
    built = c_link.build(program, tmp_path, "-g", "-O2")
    subprocess.run([valgrind, "-q", "--error-exitcode=3", "--leak-check=full", built], check=True)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_cmake_builds_and_tests(tmp_path):
    cmake, ctest = tool("cmake", "cmake"), tool("ctest", "cmake")
    subprocess.run([cmake, "-S", C_FOLDER, "-B", tmp_path], check=True)
    subprocess.run([cmake, "--build", tmp_path], check=True)
    done = subprocess.run(
        [ctest, "--test-dir", tmp_path], capture_output=True, text=True, check=True
    )
    assert "100% tests passed" in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_cortex_m3_passes_the_golden_vectors(program, tmp_path):
    compiler = tool("arm-none-eabi-gcc", "gcc-arm-none-eabi libnewlib-arm-none-eabi")
    qemu = tool("qemu-system-arm", "qemu-system-arm")
    target = ["-Os", "-mcpu=cortex-m3", "-mthumb", "--specs=rdimon.specs"]
    start = [str(CORTEX_M3 / "vectors.c"), "-T", str(CORTEX_M3 / "mps2.ld")]
    image = c_link.build(program, tmp_path, *target, *start, compiler=compiler)
    semihosting = ["-nographic", "-semihosting-config", "enable=on,target=native"]
    ran = subprocess.run(
        [qemu, "-M", "mps2-an385", *semihosting, "-kernel", image],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip().endswith(": ok")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_fuzzer_finds_no_way_out_of_bounds(tmp_path):
    clang = tool("clang", "clang libclang-rt-14-dev")
    target = c_link.build("fuzz_target", tmp_path, *FUZZER, compiler=clang)
    limits = ["-runs=50000", "-seed=1", "-max_len=1200", "-len_control=0", "-rss_limit_mb=512"]
    c_link.run(target, *limits, tmp_path)


def peak_rss_kb(program, *arguments):
    process = subprocess.Popen([program, *map(str, arguments)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_hundred_times_as_many_damaged_frames_take_no_more_memory(tmp_path):
    fuzz = c_link.build("fuzz_link", tmp_path, "-O2")
    assert peak_rss_kb(fuzz, 1, 100_000) <= peak_rss_kb(fuzz, 1, 1000) + 256
