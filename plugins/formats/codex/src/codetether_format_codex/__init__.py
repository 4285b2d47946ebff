"""Codex sessions, read and written, for codetether."""
