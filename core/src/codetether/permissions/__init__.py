"""What a tool call may do, and which places are guarded."""
