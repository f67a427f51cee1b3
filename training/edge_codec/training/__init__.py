"""Make a codec: prepare audio, train, evaluate. Needs the extra `train`.

Import its modules by name (`edge_codec.training.trainer`, ...): this one stays empty, so that the
subcommands in it start without torch.
"""

__all__: list[str] = []
