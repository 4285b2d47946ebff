"""Tells in a conversation where codetether works."""
