"""The embedded provider of codetether: GGUF models run by llama.cpp in this process."""
