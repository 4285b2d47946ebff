"""Every durable byte: journals, locks, the index, sealed segments, the one I/O thread."""
