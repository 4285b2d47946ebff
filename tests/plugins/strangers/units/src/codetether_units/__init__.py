"""Converts lengths for codetether."""
