"""Plugins made from the templates."""
