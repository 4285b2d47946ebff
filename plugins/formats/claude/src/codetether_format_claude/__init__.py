"""Claude Code sessions, read and written, for codetether."""
