"""Measurements of the whole: each a ratio to a floor of the same run. `python -m benchmarks [NAME…] [--quick]`."""
