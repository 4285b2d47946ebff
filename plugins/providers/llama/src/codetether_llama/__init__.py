"""llama.cpp in this process: what plugins that run GGUF models share."""

from codetether_llama.engine import Body, Engine, Event, engine
from codetether_llama.gguf import ModelFile, inspect

__all__ = ["Body", "Engine", "Event", "ModelFile", "engine", "inspect"]
