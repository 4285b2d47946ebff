"""What readers of other products' session files share: careful reading, and transcripts that become sessions."""
