"""What the codec costs and how good it sounds, measured and recorded.

Every table in the documentation is generated from a JSON record in `benchmarks/reports`.
"""

__all__: list[str] = []
