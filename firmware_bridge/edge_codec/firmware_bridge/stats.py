"""Counters of a link, with the same names in Python and in C. Nothing but numbers."""

from dataclasses import dataclass


@dataclass(slots=True)
class LinkStats:
    """What was sent, and what became of everything that was received.

    Of a stream heard from HELLO to END, the peer's `voice_sent + voice_dropped` is
    `voice_delivered + voice_recovered + voice_lost`. Every accepted VOICE packet is
    delivered, duplicate, late or still held back for an earlier one.
    """

    voice_sent: int = 0
    """VOICE packets handed to the caller for writing."""
    voice_cut: int = 0
    """Of those, packets with fewer layers than the profile has."""
    voice_dropped: int = 0
    """Superframes that were never sent: they were too late, or the duty cycle was used up."""
    hello_sent: int = 0
    """HELLO packets handed over, END not counted."""
    end_sent: int = 0
    """END packets handed over."""
    message_sent: int = 0
    """CTRL, TEXT, CLIP and STAT packets handed over."""
    bytes_sent: int = 0
    """Bytes handed over, stuffing and delimiters included."""
    steps_down: int = 0
    """Times a talk spurt went on in a lower mode, because the line was late."""
    steps_up: int = 0
    """Times it went back to a higher one."""
    bytes_received: int = 0
    """Bytes taken from the caller."""
    voice_received: int = 0
    """VOICE packets accepted."""
    hello_received: int = 0
    """HELLO packets accepted, END not counted."""
    end_received: int = 0
    """END packets accepted."""
    message_received: int = 0
    """CTRL, TEXT, CLIP and STAT packets accepted."""
    voice_delivered: int = 0
    """Superframes delivered from their own packet."""
    voice_recovered: int = 0
    """Superframes whose base class was delivered from the RED field of another packet."""
    voice_lost: int = 0
    """Superframes reported lost."""
    voice_duplicate: int = 0
    """VOICE packets of a superframe that was delivered or is held already."""
    voice_late: int = 0
    """VOICE packets of a superframe that had been given up, or of an ended stream."""
    damaged_framing: int = 0
    """Pieces with broken stuffing, too short or too long."""
    damaged_crc: int = 0
    """Pieces with a wrong checksum or authentication tag."""
    refused: int = 0
    """Whole packets not used: version, type, length, content, secured or not
    secured, replayed, profile unknown."""
    streams_started: int = 0
    """Streams that became readable."""
    streams_replaced: int = 0
    """Streams that gave way to another."""
    events_dropped: int = 0
    """Events the caller did not fetch in time."""
