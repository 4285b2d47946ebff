"""The version, in the one place that every distribution reads it from."""

__version__ = "0.1.0"
