"""Subcommands of `edge-codec` that measure; each imports nothing heavy until it runs."""
