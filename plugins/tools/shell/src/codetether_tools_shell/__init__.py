"""The tool bash for codetether: shell commands in the workspace."""
