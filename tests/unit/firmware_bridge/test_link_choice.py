"""Which implementation makes the frames: the C library where there is one, unless one is forced."""

import sys

import pytest

from edge_codec.firmware_bridge import LocalLinkError, RawFormat, describe_link, raw_profile_for
from edge_codec.firmware_bridge.frame_codec import VARIABLE, frame_codec_for
from edge_codec.firmware_bridge.raw_frame import NumpyFrames

FORM = RawFormat(raw_profile_for(3, 10, 50.0))
EXTENSION = "edge_codec.firmware_bridge._edge_link"


@pytest.fixture
def without_extension(monkeypatch):
    """As if the package had been installed without a C compiler."""
    monkeypatch.delitem(sys.modules, "edge_codec.firmware_bridge.native_frame", raising=False)
    monkeypatch.setitem(sys.modules, EXTENSION, None)
    monkeypatch.delenv(VARIABLE, raising=False)


def test_numpy_takes_the_place_of_a_missing_library(without_extension):
    assert isinstance(frame_codec_for(FORM), NumpyFrames)
    assert describe_link() == "numpy (built without a C compiler)"


def test_a_library_that_is_forced_must_be_there(without_extension, monkeypatch):
    monkeypatch.setenv(VARIABLE, "c")
    with pytest.raises(LocalLinkError, match="install edge-codec again where gcc and python3-dev"):
        frame_codec_for(FORM)


def test_the_environment_forces_numpy(monkeypatch):
    monkeypatch.setenv(VARIABLE, "python")
    assert isinstance(frame_codec_for(FORM), NumpyFrames)
    assert describe_link() == "numpy (EDGE_CODEC_LINK=python)"


def test_an_argument_comes_before_the_environment(monkeypatch):
    monkeypatch.setenv(VARIABLE, "c")
    assert isinstance(frame_codec_for(FORM, link="python"), NumpyFrames)


def test_another_word_is_refused(monkeypatch):
    monkeypatch.setenv(VARIABLE, "fortran")
    with pytest.raises(LocalLinkError, match="must be c, python or auto, got 'fortran'"):
        frame_codec_for(FORM)


def test_the_library_is_used_where_it_is(monkeypatch):
    pytest.importorskip(EXTENSION, reason="installed without a C compiler")
    monkeypatch.delenv(VARIABLE, raising=False)
    assert not isinstance(frame_codec_for(FORM), NumpyFrames)
    assert describe_link() == "C library"
