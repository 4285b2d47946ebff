"""Tools for codetether that read, write, edit, list and search files."""
