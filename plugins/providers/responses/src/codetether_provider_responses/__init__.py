"""The openai-responses wire for codetether."""
