"""The session files of the codetether that was, read, for codetether."""
