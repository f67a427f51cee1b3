"""The C library behind Python and numpy: the same bytes made, the same read out of any bytes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_codec.firmware_bridge import (
    Channel,
    ChannelModel,
    LocalLinkError,
    RawFormat,
    StreamProfile,
    frame_codec_for,
    raw_profile_for,
)
from edge_codec.firmware_bridge.packet import PacketType
from edge_codec.firmware_bridge.raw_frame import NumpyFrames
from edge_codec.firmware_bridge.raw_header import RawHeader
from support.link_pair import make_hello

pytest.importorskip(
    "edge_codec.firmware_bridge._edge_link", reason="installed without a C compiler"
)

VOICE = PacketType.VOICE
HEADERS = st.builds(RawHeader, st.just(VOICE), st.integers(0, 255), st.integers(0, 255))
ALL_BASE = StreamProfile(
    layers=2, base_layers=2, bits_per_code=16, frames_per_superframe=28, superframe_ms=600
)
LARGEST = StreamProfile(
    layers=32, base_layers=1, bits_per_code=1, frames_per_superframe=59, superframe_ms=80
)


@st.composite
def profiles(draw):
    """Any profile that both framings can carry, shipped ones among them."""
    if draw(st.booleans()):
        return raw_profile_for(draw(st.integers(1, 12)), 10, 50.0)
    layers = draw(st.integers(1, 32))
    try:
        profile = StreamProfile(
            layers=layers,
            base_layers=draw(st.integers(1, min(8, layers))),
            bits_per_code=draw(st.integers(1, 16)),
            frames_per_superframe=draw(st.integers(1, 64)),
            superframe_ms=10 * draw(st.integers(4, 64)),
        )
        RawFormat(profile)
    except LocalLinkError:
        return ALL_BASE
    return profile


def both(profile, paths=1):
    form = RawFormat(profile)
    c = frame_codec_for(form, paths=paths, link="c")
    assert not isinstance(c, NumpyFrames)
    return c, NumpyFrames(form, paths=paths)


def random_codes(profile, seed):
    shape = profile.frames_per_superframe, profile.layers
    return np.random.default_rng(seed).integers(1 << profile.bits_per_code, size=shape)


def said(superframe):
    """A superframe so that two can be compared."""
    if superframe is None:
        return None
    return superframe.codes_FK.tolist(), superframe.valid_layers_F.tolist()


@settings(max_examples=30, deadline=None)
@given(profiles(), HEADERS, st.integers(0, 2**32))
def test_both_make_the_same_frames(profile, header, seed):
    c, numpy = both(profile)
    codes_FK = random_codes(profile, seed)
    frame = c.pack_voice(header, codes_FK)
    assert frame == numpy.pack_voice(header, codes_FK)
    assert said(c.decode_voice(header, frame[4:]))[0] == codes_FK.tolist()
    hello = make_hello(profile, epoch=seed % 256, nonce=bytes(range(8)))
    frame = c.pack_hello(header, hello)
    assert frame == numpy.pack_hello(header, hello)
    assert c.decode_hello(header, frame[4:]) == hello


def damaged(frame, share, seed):
    return Channel(ChannelModel(bit_error_rate=share), seed=seed).send(frame)[4:]


@settings(max_examples=20, deadline=None)
@given(
    profiles(), HEADERS, st.sampled_from([1, 2, 8, 32]), st.floats(0, 0.15), st.integers(0, 2**32)
)
def test_both_read_the_same_out_of_damaged_frames(profile, header, paths, share, seed):
    c, numpy = both(profile, paths)
    body = damaged(c.pack_voice(header, random_codes(profile, seed)), share, seed)
    assert c.header_bits(body) == numpy.header_bits(body)
    assert said(c.decode_voice(header, body)) == said(numpy.decode_voice(header, body))
    body = damaged(c.pack_hello(header, make_hello(profile)), share, seed)
    assert c.decode_hello(header, body) == numpy.decode_hello(header, body)


@settings(max_examples=6, deadline=None)
@given(st.sampled_from([ALL_BASE, LARGEST, raw_profile_for(6, 10, 50.0)]), HEADERS, st.data())
def test_both_read_the_same_out_of_any_bytes(profile, header, data):
    c, numpy = both(profile, paths=4)
    size = RawFormat(profile).body_bytes
    body = data.draw(st.binary(min_size=size, max_size=size))
    assert said(c.decode_voice(header, body)) == said(numpy.decode_voice(header, body))
    assert c.decode_hello(header, body) == numpy.decode_hello(header, body)


def test_what_follows_a_frame_does_not_depend_on_it():
    header, profile = RawHeader(VOICE, 1, 2), raw_profile_for(6, 10, 50.0)
    c, _ = both(profile, paths=8)
    frame = c.pack_voice(header, random_codes(profile, 1))
    clean = said(c.decode_voice(header, frame[4:]))
    for seed in range(20):
        c.decode_voice(header, damaged(frame, 0.1, seed))
        assert said(c.decode_voice(header, frame[4:])) == clean


@pytest.mark.parametrize("link", ["c", "python"])
def test_a_body_of_another_length_is_refused(link):
    form = RawFormat(raw_profile_for(3, 10, 50.0))
    frames = frame_codec_for(form, link=link)
    for body in (b"", bytes(form.body_bytes - 1), bytes(form.body_bytes + 1)):
        for read in (frames.decode_voice, frames.decode_hello):
            with pytest.raises(LocalLinkError, match=r"a body has \d+ bytes"):
                read(RawHeader(VOICE, 0, 0), body)
