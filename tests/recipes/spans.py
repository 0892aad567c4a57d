"""Run by the Python that has OpenTelemetry's protocol: its exports, from base64 to JSON."""

from __future__ import annotations

import json
import sys
from base64 import b64decode

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

spans = []
for line in sys.stdin:
    export = MessageToDict(ExportTraceServiceRequest.FromString(b64decode(line)))
    for resource in export["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                values = {each["key"]: each.get("value", {}) for each in span["attributes"]}
                attributes = {
                    key: next(iter(value.values()), None) for key, value in values.items()
                }
                spans.append({**span, "attributes": attributes})
print(json.dumps(spans))
