"""Plugins: found, loaded one by one, asked one by one, and contained where they fail."""
