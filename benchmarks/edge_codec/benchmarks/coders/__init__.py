"""This project's codec and others behind one interface: a frame in, a packet out, and back."""

from edge_codec.benchmarks.coders.catalogue import model_coders, open_installed, peer_makers
from edge_codec.benchmarks.coders.coder import Coded, Coder, Packet, code_clip
from edge_codec.benchmarks.coders.model import ModelCoder, SuperframeCoder, with_backend

__all__ = [
    "Coded",
    "Coder",
    "ModelCoder",
    "Packet",
    "SuperframeCoder",
    "code_clip",
    "model_coders",
    "open_installed",
    "peer_makers",
    "with_backend",
]
