"""Tells codetether's model which git branch it works on."""
