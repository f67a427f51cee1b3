"""Subcommands that need the `export` extra; each imports nothing heavy until it runs."""
