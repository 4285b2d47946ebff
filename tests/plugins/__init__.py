"""Plugins from outside of the workspace, good and bad."""
