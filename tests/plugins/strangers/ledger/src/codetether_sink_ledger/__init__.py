"""Writes codetether's audit entries into a table."""
