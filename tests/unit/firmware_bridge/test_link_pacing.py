"""What a wire carries: refusals, the mode table, the token bucket."""

from dataclasses import replace

import pytest

from edge_codec.firmware_bridge import (
    PROFILES,
    Line,
    LocalLinkError,
    Protection,
    Security,
    TokenBucket,
    modes,
    refusal,
)
from support.link_pair import send_spurt


def test_mode_table_of_the_default_codec() -> None:
    table = {mode.name: mode for mode in modes()}
    assert list(table) == [f"P{500 * n}" for n in range(1, 13)]
    assert [table[name].profile for name in table] == list(PROFILES.values())
    delays = {name: table[name].mouth_to_ear_ms for name in ("P500", "P3000", "P6000")}
    assert delays == {"P500": 1020, "P3000": 540, "P6000": 300}


def test_mode_table_of_another_codec() -> None:
    names = [mode.name for mode in modes(layers=4, bits_per_code=8, frame_rate_hz=25.0)]
    assert names == ["P200", "P400", "P600", "P800"]


def test_line_rates() -> None:
    assert Line(baud=9600).rate_bps == 7680
    assert Line(baud=9600, is_synchronous=True).rate_bps == 9600
    assert Line(baud=9600).airtime_s(96) == pytest.approx(0.1)
    with pytest.raises(LocalLinkError, match="baud"):
        Line(baud=0)


def test_what_does_not_fit_is_refused_with_what_would() -> None:
    *_, p6000 = modes()
    assert refusal(p6000, Line(baud=9600)) is None
    assert refusal(p6000, Line(baud=4800)) == (
        "P6000 needs 6677 bit/s, 4800 baud 8N1 carries 3648; P3000 would fit"
    )
    assert refusal(p6000, Line(baud=4800, is_synchronous=True)) == (
        "P6000 needs 6677 bit/s, 4800 baud synchronous carries 4560; P4000 would fit"
    )
    assert refusal(replace(p6000, tag_bytes=8), Line(baud=8900), red=True) == (
        "P6000 needs 8184 bit/s with RED and tags, 8900 baud 8N1 carries 6764; P4500 would fit"
    )
    sentence = refusal(modes()[0], Line(baud=300))
    assert sentence is not None
    assert sentence.endswith("nothing would fit, use a faster line")


@pytest.mark.parametrize("red", [False, True])
@pytest.mark.parametrize("baud", [1200, 2400, 4800, 9600])
def test_the_advice_itself_fits(baud: int, red: bool) -> None:
    table, line = {mode.name: mode for mode in modes()}, Line(baud=baud)
    for mode in table.values():
        sentence = refusal(mode, line, red=red)
        if sentence is not None and "nothing" not in sentence:
            advised = table[sentence.split("; ")[1].split()[0]]
            assert advised.profile.layers < mode.profile.layers
            assert refusal(advised, line, red=red) is None


@pytest.mark.parametrize("red", [0, 1])
@pytest.mark.parametrize("tag_bytes", [0, 4, 8])
def test_streams_need_what_is_said(red: int, tag_bytes: int) -> None:
    security = None
    if tag_bytes:
        security = Security(secret=bytes(32), protection=Protection.AUTH, tag_bytes=tag_bytes)
    for unsecured in modes():
        mode = replace(unsecured, tag_bytes=tag_bytes)
        profile = mode.profile
        timed = send_spurt(profile, 200, red=red, security=security)
        sent_bps = 8 * sum(len(packet) for _, packet in timed[2:-1]) / (200 * profile.superframe_s)
        needed = mode.needed_bps(red=bool(red))
        assert 0.96 * needed <= sent_bps <= needed


def test_bucket_keeps_the_rate_whatever_the_pieces() -> None:
    bucket = TokenBucket.for_line(Line(baud=9600), burst_bytes=100)
    now_s, sent = 0.0, 0
    for n in range(2000):
        size = n * 37 % 90 + 1
        now_s += bucket.delay_s(size, now_s=now_s)
        bucket.consume(size, now_s=now_s)
        sent += size
    assert (sent - 100) * 8 / now_s == pytest.approx(0.95 * 7680, rel=1e-3)


def test_bucket_lets_a_burst_pass_after_a_pause_and_no_more() -> None:
    bucket = TokenBucket(800, burst_bytes=50)
    assert bucket.delay_s(50, now_s=0.0) == 0.0
    bucket.consume(50, now_s=0.0)
    assert bucket.delay_s(10, now_s=0.0) == pytest.approx(0.1)
    assert bucket.delay_s(10, now_s=0.1) == pytest.approx(0.0)
    assert bucket.delay_s(60, now_s=100.0) == 0.0
    bucket.consume(60, now_s=100.0)
    assert bucket.delay_s(50, now_s=100.0) == pytest.approx(0.6)


def test_bucket_survives_a_clock_that_stands_still() -> None:
    bucket = TokenBucket(800, burst_bytes=50)
    bucket.consume(50, now_s=5.0)
    assert bucket.delay_s(1, now_s=4.0) == pytest.approx(0.01)


@pytest.mark.parametrize(("rate_bps", "burst_bytes"), [(0, 1), (1, 0), (-1, 1)])
def test_bucket_refuses_nonsense(rate_bps: int, burst_bytes: int) -> None:
    with pytest.raises(LocalLinkError, match="positive"):
        TokenBucket(rate_bps, burst_bytes=burst_bytes)
