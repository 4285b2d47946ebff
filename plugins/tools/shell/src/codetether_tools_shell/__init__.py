"""Tools for codetether that run commands in the workspace."""
