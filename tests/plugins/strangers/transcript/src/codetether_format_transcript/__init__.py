"""Reads conversations written down as plain text."""
