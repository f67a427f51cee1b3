from collections.abc import Callable
from zlib import crc32

import pytest
from hypothesis import settings

from edge_codec.firmware_bridge import ChannelModel, Route

# A slow or busy machine is not a failing test.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


@pytest.fixture
def make_route(request: pytest.FixtureRequest) -> Callable[..., Route]:
    """A bad channel in time, `make_route(drop_rate=0.1)`; its seed is the name of the test."""

    def make(*, is_stream: bool = False, **rates: float) -> Route:
        seed = crc32(request.node.nodeid.encode())
        return Route(ChannelModel(**rates), seed=seed, is_stream=is_stream)

    return make
