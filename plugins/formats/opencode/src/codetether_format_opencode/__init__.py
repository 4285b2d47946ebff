"""OpenCode sessions, read and written, for codetether."""
