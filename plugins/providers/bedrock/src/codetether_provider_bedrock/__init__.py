"""The bedrock-converse wire for codetether and the provider bedrock."""
