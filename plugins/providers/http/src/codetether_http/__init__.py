"""What HTTP providers of codetether share: transport, server-sent events, retries."""
