"""What `edge-codec sdp` prints."""

import pytest

from edge_codec.runtime.cli import main
from edge_codec.runtime.commands.sdp import describe
from support.stub_bundle import STUB_BUNDLE


def test_description_is_valid_sdp() -> None:
    text = describe("192.168.1.20", 5004, "1a2b3c4d5e6f")
    assert text == (
        "v=0\r\no=- 0 0 IN IP4 192.168.1.20\r\ns=edge-codec\r\nc=IN IP4 192.168.1.20\r\nt=0 0\r\n"
        "m=audio 5004 RTP/AVP 96\r\na=rtpmap:96 edge-codec/16000\r\na=fmtp:96 model=1a2b3c4d\r\n"
    )
    assert "c=IN IP6 ff15::5\r\n" in describe("ff15::5", 5004, "00")


def test_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sdp", "rtp://[::1]:5004", "--model", str(STUB_BUNDLE)]) == 0
    assert "m=audio 5004" in capsys.readouterr().out
    for port, message in (("udp://x:1", "is not RTP"), ("rtp://:1", "has no host")):
        assert main(["sdp", port]) == 1
        assert message in capsys.readouterr().err
