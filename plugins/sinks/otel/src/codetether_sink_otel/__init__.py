"""Traces and metrics of codetether by the GenAI conventions of OpenTelemetry."""
