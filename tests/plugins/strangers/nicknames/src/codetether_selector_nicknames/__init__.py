"""Gives models names of one's own."""
