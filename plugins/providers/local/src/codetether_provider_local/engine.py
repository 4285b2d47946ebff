"""The engine, where this package looks for it."""

from codetether_llama import Body, Engine, engine

__all__ = ["Body", "Engine", "engine"]
