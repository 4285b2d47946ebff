"""The anthropic-messages wire for codetether and the providers anthropic and minimax."""
