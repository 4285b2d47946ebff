"""The record of a session: redaction, the audit trail, events for every sink."""
