"""The openai-chat wire for codetether and the provider openai, for any compatible server."""
