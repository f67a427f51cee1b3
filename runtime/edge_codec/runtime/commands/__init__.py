"""Subcommands of the runtime: each module has `register(subparsers)` and imports nothing heavy."""
