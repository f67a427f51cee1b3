"""Subcommands of `edge-codec` of the `train` extra; each imports nothing heavy until it runs."""
