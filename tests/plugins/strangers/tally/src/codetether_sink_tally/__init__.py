"""Keeps what happened in codetether's sessions, one line an event."""
