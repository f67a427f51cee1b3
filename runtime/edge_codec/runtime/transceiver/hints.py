"""What a user should know when secured packets are refused, said once for each reason."""

from collections import Counter

from edge_codec.firmware_bridge import DamageReason

_ENOUGH = 2
"""Noise looks like anything now and then."""
_SENTENCES = {
    DamageReason.SECURED: "secured packets came that cannot be checked: give --security and --key,"
    " or wait for the next HELLO",
    DamageReason.UNSECURED: "packets without security came and were dropped: does the sender use"
    " --security?",
    DamageReason.SUITE: "packets secured in another way came: --security and --tag-bytes must be"
    " the same at both ends",
    DamageReason.TAG: "secured packets with wrong tags came: noise, or another key;"
    " `edge-codec keygen FILE --show` compares keys",
    DamageReason.STALE: "a secured stream from the past came: a replay, or the sender's clock"
    " went back and its --epoch must be raised",
}


class SecurityHints:
    """Counts what is refused, and finds the words."""

    def __init__(self) -> None:
        self._counts: Counter[DamageReason] = Counter()

    def note(self, reason: DamageReason) -> str | None:
        """The sentence for `reason` when it is time to say it."""
        self._counts[reason] += 1
        return _SENTENCES.get(reason) if self._counts[reason] == _ENOUGH else None
