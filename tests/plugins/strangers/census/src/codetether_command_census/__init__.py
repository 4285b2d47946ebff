"""Counts codetether's sessions."""
