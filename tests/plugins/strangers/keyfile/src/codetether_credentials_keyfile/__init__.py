"""Takes keys for codetether from files."""
