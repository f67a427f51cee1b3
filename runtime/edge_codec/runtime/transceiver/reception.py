"""`rx` at work: bytes from a port, through a listener, to a sink.

One loop, no threads; the clock and the wish to stop are passed in.
"""

import math
from dataclasses import asdict

from edge_codec.firmware_bridge import (
    MAX_STREAMS,
    EndReason,
    Event,
    HelloReceived,
    Mode,
    PacketDamaged,
    StreamEnded,
    StreamStarted,
)
from edge_codec.runtime.meter import Report, peak_rss_bytes
from edge_codec.runtime.pcm import LevelMeter
from edge_codec.runtime.ports import Port
from edge_codec.runtime.transceiver.clock import WAIT_MAX_S, Clock, StopSignal
from edge_codec.runtime.transceiver.hints import SecurityHints
from edge_codec.runtime.transceiver.listener import FloatArray, Listener, StreamMuted
from edge_codec.runtime.transceiver.sinks import Sink

NOISE_BYTES = 1000
"""So many bytes without one good packet are noise: the longest packet has 257."""

_ENDS = {
    EndReason.END: "over",
    EndReason.TIMEOUT: "the sender fell silent",
    EndReason.REPLACED: f"gave way to another one: its tag came again, or over {MAX_STREAMS} speak",
}

Notice = Event | StreamMuted


class Reception:
    """Listens until told to stop, or until what was waited for is over."""

    def __init__(self, port: Port, listener: Listener, sink: Sink, report: Report) -> None:
        """Nothing is heard yet.

        Args:
            port: open.
            listener: fresh.
            sink: where samples go.
            report: where events and the meter go.
        """
        self._port = port
        self._listener = listener
        self._sink = sink
        self._report = report
        self._level = LevelMeter()
        self._is_sounding = False
        self._ended_streams = 0
        self._good_packets = 0
        self._noise_from_bytes = 0
        self._has_hinted = False
        self._hints = SecurityHints()

    def run(
        self,
        clock: Clock,
        stop: StopSignal,
        *,
        once: bool = False,
        timeout_s: float = math.inf,
    ) -> None:
        """Receive until told to stop; what the playout buffer then holds is written, too.

        Args:
            clock: time and waiting.
            stop: the wish to stop.
            once: stop behind the first stream.
            timeout_s: stop when no packet came for this long.

        Raises:
            PortError: the port is gone.
            AudioError: the sink failed.
        """
        heard_s = now_s = clock.now_s()
        self._report.event("listening", f"listening on {self._port.name}", port=self._port.name)
        try:
            while not (stop.received or self._is_over(once=once) or now_s - heard_s >= timeout_s):
                clock.wait([self._port], self._wait_s(now_s))
                now_s = clock.now_s()
                heard_s = now_s if self.step(now_s) else heard_s
        finally:
            self._drain()

    def step(self, now_s: float, *, is_muted: bool = False) -> bool:
        """Take what has arrived and play what is due; returns whether a good packet came.

        Args:
            now_s: the clock.
            is_muted: throw both away, as this station transmits.

        Raises:
            PortError: the port is gone.
            AudioError: the sink failed.
        """
        if is_muted:
            self._port.read()
            self._listener.handle_timeout(now_s)
            self._listener.pull(now_s)
            return False
        self._read(now_s)
        self._play(now_s)
        self._show()
        return self._heard_packet()

    def summarize(self) -> None:
        """Report what was heard."""
        stats, listener = self._listener.stats, self._listener
        audio_s = listener.played_s
        self._report.event(
            "received",
            f"played {audio_s:.1f} s, {listener.concealed_frames} frames of it filled in;"
            f" {stats.voice_lost} packets lost, {self._damaged} damaged",
            audio_s=audio_s,
            played_frames=listener.played_frames,
            damaged=self._damaged,
            concealed_frames=listener.concealed_frames,
            late_frames=listener.late_frames,
            peak_rss_bytes=peak_rss_bytes(),
            **asdict(stats),
        )

    @property
    def _damaged(self) -> int:
        stats = self._listener.stats
        return stats.damaged_framing + stats.damaged_crc + stats.refused

    def _is_over(self, *, once: bool) -> bool:
        if self._port.is_finished:
            return True
        return once and self._ended_streams > 0 and not self._listener.is_playing

    def _read(self, now_s: float) -> None:
        chunk = self._port.read()
        notices = self._listener.receive_data(chunk, now_s) if chunk else []
        for notice in [*notices, *self._listener.handle_timeout(now_s)]:
            self._tell(notice)

    def _play(self, now_s: float) -> None:
        samples_T = self._listener.pull(now_s)
        if len(samples_T):
            self._write(samples_T)
        self._is_sounding = self._listener.is_playing and (self._is_sounding or len(samples_T) > 0)

    def _write(self, samples_T: FloatArray) -> None:
        if not self._is_sounding:
            self._report.event("playing", "playing")
        self._sink.write(samples_T)
        self._level.add(samples_T)

    def _drain(self) -> None:
        for notice in self._listener.handle_timeout(math.inf):
            self._tell(notice)
        self._sink.write(self._listener.pull(math.inf))

    def _wait_s(self, now_s: float) -> float:
        next_s = self._listener.next_timeout_s
        return WAIT_MAX_S if next_s is None else max(0.0, next_s - now_s)

    def _heard_packet(self) -> bool:
        """Whether a good packet came since the last call; says so once if all is noise."""
        stats = self._listener.stats
        good_packets = stats.voice_received + stats.hello_received + stats.end_received
        if good_packets > self._good_packets:
            self._good_packets, self._noise_from_bytes = good_packets, stats.bytes_received
            return True
        noise_bytes = stats.bytes_received - self._noise_from_bytes
        if noise_bytes > NOISE_BYTES and not self._has_hinted:
            self._has_hinted = True
            self._report.event(
                "noise",
                f"{noise_bytes} bytes came but no good packet: is --baud right, and is the sender"
                " edge-codec? see docs/troubleshooting.md",
                bytes=noise_bytes,
            )
        return False

    def _tell(self, notice: Notice) -> None:
        match notice:
            case StreamStarted(stream_tag=tag, profile=profile, framing=framing):
                mode = Mode(framing=framing, profile=profile).name
                self._report.event(
                    "stream_started",
                    f"stream {tag:02x}, {mode}",
                    stream_tag=tag,
                    mode=mode,
                    bitrate_bps=profile.codec_bitrate_bps,
                )
            case HelloReceived(stream_tag=tag, hello=hello):
                self._report.event(
                    "hello",
                    f"stream {tag:02x} is {hello.source or 'without a callsign'}"
                    f" to {hello.destination or 'nobody'}, model {hello.model_hash.hex()}",
                    stream_tag=tag,
                    source=hello.source,
                    destination=hello.destination,
                    model_hash=hello.model_hash.hex(),
                )
            case PacketDamaged(reason=reason) if sentence := self._hints.note(reason):
                self._report.event("security", sentence, reason=reason)
            case StreamMuted(stream_tag=tag, message=message):
                self._report.event("stream_muted", f"muted: {message}", stream_tag=tag)
            case StreamEnded(stream_tag=tag, reason=reason):
                self._ended_streams += 1
                message = f"stream {tag:02x}: {_ENDS[reason]}"
                self._report.event("stream_ended", message, stream_tag=tag, reason=reason)

    def _show(self) -> None:
        if not self._report.is_due():
            return
        stats, listener = self._listener.stats, self._listener
        level, self._level = self._level, LevelMeter()
        self._report.meter(
            level.dbfs,
            f"{listener.bitrate_bps:.0f} bit/s  buffer {listener.depth_s * 1000:.0f} ms"
            f"  lost {stats.voice_lost}  damaged {self._damaged}",
            bitrate_bps=listener.bitrate_bps,
            buffer_s=round(listener.depth_s, 3),
            voice_received=stats.voice_received,
            voice_lost=stats.voice_lost,
            damaged=self._damaged,
            concealed_frames=listener.concealed_frames,
        )
