"""Denies commands that force their way."""
