"""Keeps the history of a session within the context of its model, for codetether."""
