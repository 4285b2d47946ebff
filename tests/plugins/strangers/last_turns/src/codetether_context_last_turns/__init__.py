"""Sends codetether's model only the last turns."""
