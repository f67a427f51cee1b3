"""Make a model bundle of a checkpoint: ONNX graphs, int8, comparison with the trained codec.

Needs the `export` extra. Writes what the runtime reads, and checks it through the runtime.
"""

__all__: list[str] = []
