"""The radio link: code frames to packets and back, without I/O, clock or codec.

Sending, with the caller's clock, tag and nonce:

    hello = Hello(source="AB1CD", model_hash=digest[:4], profile=profile_for(6, 10, 50.0),
                  nonce=os.urandom(8))
    if (sentence := refusal(hello.profile, baud)) is not None: ...
    transmitter = Transmitter(hello, stream_tag=os.urandom(1)[0])
    for packet in transmitter.send_frames(codes_FK, now_s=time.monotonic()): port.write(packet)
    for packet in transmitter.finish(now_s=time.monotonic()): port.write(packet)

Receiving:

    receiver = Receiver()
    receiver.receive_data(chunk, now_s=time.monotonic())
    while (event := receiver.next_event()) is not None:
        match event:
            case HelloReceived(hello=hello): describe_model_mismatch(hello.model_hash, own)
            case FramesReceived(codes_FK=codes, valid_layers_F=valid): decoder.push(codes, valid)

On a noisy pipe `RawTransmitter` and `RawReceiver` take their places, with a profile from
`raw_profile_for` that both ends agreed on; events and counters are the same.

`docs/protocol.md` is the authority on every byte.
"""

from edge_codec.firmware_bridge.airtime import DutyCycle
from edge_codec.firmware_bridge.auto_receiver import AutoReceiver
from edge_codec.firmware_bridge.callsign import BROADCAST
from edge_codec.firmware_bridge.channel import Channel, ChannelModel, ChannelStats
from edge_codec.firmware_bridge.errors import LinkError, LocalLinkError
from edge_codec.firmware_bridge.events import (
    DamageReason,
    EndReason,
    Event,
    FramesReceived,
    HelloReceived,
    MessageReceived,
    MessageType,
    PacketDamaged,
    PacketsLost,
    StreamEnded,
    StreamStarted,
)
from edge_codec.firmware_bridge.feed import EventFeed
from edge_codec.firmware_bridge.frame_codec import FrameCodec, describe_link, frame_codec_for
from edge_codec.firmware_bridge.guard import Guard, Heard
from edge_codec.firmware_bridge.hello import Hello, describe_model_mismatch
from edge_codec.firmware_bridge.modes import Mode, find_mode, modes, steps_below
from edge_codec.firmware_bridge.pacing import Line, TokenBucket, refusal
from edge_codec.firmware_bridge.profile import (
    PROFILES,
    Framing,
    StreamProfile,
    framed_bytes,
    profile_for,
)
from edge_codec.firmware_bridge.raw_format import RawFormat, raw_profile_for, unit_frames
from edge_codec.firmware_bridge.raw_receiver import RawReceiver
from edge_codec.firmware_bridge.raw_transmitter import RawTransmitter
from edge_codec.firmware_bridge.receiver import Receiver
from edge_codec.firmware_bridge.route import Route
from edge_codec.firmware_bridge.security import (
    Protection,
    Security,
    fingerprint,
    ordered_nonce,
)
from edge_codec.firmware_bridge.session import MAX_STREAMS, STREAM_TIMEOUT_S
from edge_codec.firmware_bridge.spurt import Spurt
from edge_codec.firmware_bridge.stats import LinkStats
from edge_codec.firmware_bridge.transmitter import Transmitter, cut_packet

__all__ = [
    "BROADCAST",
    "MAX_STREAMS",
    "PROFILES",
    "STREAM_TIMEOUT_S",
    "AutoReceiver",
    "Channel",
    "ChannelModel",
    "ChannelStats",
    "DamageReason",
    "DutyCycle",
    "EndReason",
    "Event",
    "EventFeed",
    "FrameCodec",
    "FramesReceived",
    "Framing",
    "Guard",
    "Heard",
    "Hello",
    "HelloReceived",
    "Line",
    "LinkError",
    "LinkStats",
    "LocalLinkError",
    "MessageReceived",
    "MessageType",
    "Mode",
    "PacketDamaged",
    "PacketsLost",
    "Protection",
    "RawFormat",
    "RawReceiver",
    "RawTransmitter",
    "Receiver",
    "Route",
    "Security",
    "Spurt",
    "StreamEnded",
    "StreamProfile",
    "StreamStarted",
    "TokenBucket",
    "Transmitter",
    "cut_packet",
    "describe_link",
    "describe_model_mismatch",
    "find_mode",
    "fingerprint",
    "frame_codec_for",
    "framed_bytes",
    "modes",
    "ordered_nonce",
    "profile_for",
    "raw_profile_for",
    "refusal",
    "steps_below",
    "unit_frames",
]
