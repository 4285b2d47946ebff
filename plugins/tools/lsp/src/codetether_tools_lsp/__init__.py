"""Diagnostics, definitions and references from language servers, for codetether."""
