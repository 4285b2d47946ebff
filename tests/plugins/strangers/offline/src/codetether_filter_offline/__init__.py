"""Hides tools of codetether that need a network."""
