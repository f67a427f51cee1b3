"""A record for people: Markdown, and one HTML file with plots and sound."""

from edge_codec.benchmarks.report.markdown import render_markdown
from edge_codec.benchmarks.report.writer import write_report

__all__ = ["render_markdown", "write_report"]
