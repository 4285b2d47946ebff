"""Keys in a private file, for codetether."""
