"""The settings of the OpenTelemetry sink: `[plugins.otel]`."""

from __future__ import annotations

import os
from collections.abc import Mapping

from attrs import field, frozen

CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
SPOKEN = "http/protobuf"


@frozen(kw_only=True)
class OtelSettings:
    """Where traces and metrics go; all else is told to the SDK by its own `OTEL_…` variables.

    Attributes:
        endpoint: an OTLP receiver over HTTP, e.g. `http://localhost:4318`; None: off, unless a variable names one.
        content: whether prompts, answers, arguments and outputs of tools are sent too.
    """

    endpoint: str | None = field(default=None, metadata={"env": "OTEL_EXPORTER_OTLP_ENDPOINT"})
    content: bool = False


@frozen(kw_only=True)
class Destination:
    """What is sent and where to: whole URLs, None for what is off.

    Attributes:
        refused: why nothing is sent though a receiver is named; empty otherwise.
    """

    traces: str | None = None
    metrics: str | None = None
    content: bool = False
    refused: str = ""

    @property
    def off(self) -> bool:
        """Whether nothing is sent."""
        return self.traces is None and self.metrics is None


def destination(settings: OtelSettings, environment: Mapping[str, str] = os.environ) -> Destination:
    """What the settings and the SDK's variables say."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return Destination()
    found = {signal: _endpoint(signal, settings, environment) for signal in ("traces", "metrics")}
    for signal, url in found.items():
        protocol = environment.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL") or environment.get(
            "OTEL_EXPORTER_OTLP_PROTOCOL"
        )
        if url and protocol and protocol.strip() != SPOKEN:
            return Destination(refused=f"{protocol.strip()} is not spoken here, only {SPOKEN} (usually on port 4318)")
    return Destination(traces=found["traces"], metrics=found["metrics"], content=_content(settings, environment))


def _endpoint(signal: str, settings: OtelSettings, environment: Mapping[str, str]) -> str | None:
    if environment.get(f"OTEL_{signal.upper()}_EXPORTER", "").strip().lower() == "none":
        return None
    if own := environment.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT"):
        return own
    return f"{settings.endpoint.rstrip('/')}/v1/{signal}" if settings.endpoint else None


def _content(settings: OtelSettings, environment: Mapping[str, str]) -> bool:
    """The variable decides where it is set; its words for events alone mean no: there are only spans here."""
    word = environment.get(CAPTURE, "").strip().lower()
    return word in ("true", "1", "yes", "on", "span_only", "span_and_event") if word else settings.content
