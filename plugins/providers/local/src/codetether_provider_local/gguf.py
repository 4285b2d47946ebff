"""Model files, where this package looks for them."""

from codetether_llama import ModelFile, inspect

__all__ = ["ModelFile", "inspect"]
