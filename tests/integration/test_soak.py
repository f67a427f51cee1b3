"""Long hours in made-up time with every impairment on: nothing breaks, grows or gets lost."""

import pytest

from edge_codec.runtime.bundle import load_bundle
from support.soak import Soak, check
from support.stub_bundle import STUB_BUNDLE


def run(seconds: float, *, seed: int) -> Soak:
    soak = Soak(load_bundle(STUB_BUNDLE), seed=seed)
    soak.run(seconds)
    check(soak)
    return soak


def test_two_minutes() -> None:
    soak = run(120.0, seed=1)
    assert soak.books.whole_streams >= 10
    assert soak.listener.stats.voice_recovered > 0
    assert soak.listener.played_s > 30


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_an_hour() -> None:
    soak = run(3600.0, seed=2)
    assert soak.books.whole_streams >= 300
    # Of the books themselves: a few objects per talk spurt.
    growth = soak.books.objects[-1] - soak.books.objects[1]
    assert growth < 10 * soak.books.heard_streams
