"""Subcommands of `edge-codec` that need the `train` extra; each imports nothing heavy until it runs."""
