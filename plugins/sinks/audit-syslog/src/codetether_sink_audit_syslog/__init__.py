"""The audit trail of codetether in syslog."""
