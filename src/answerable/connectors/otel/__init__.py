"""OpenTelemetry connector: reads telemetry of agents as self-reported events."""
