# uvicorn examples.18_telemetry:app
"""Spans and metrics of runs, exported with OpenTelemetry's SDK; here to the console.

curl -N localhost:8000/chat -H 'content-type: application/json' -d '{"question": "Hi?"}'
"""

import logging

from langchain_core.prompts import ChatPromptTemplate
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

from asgi_stream import StreamApp, StreamRoute

from .scripted import ScriptedModel

spans = TracerProvider()
spans.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter(), schedule_delay_millis=500))
trace.set_tracer_provider(spans)
reader = PeriodicExportingMetricReader(ConsoleMetricExporter(), export_interval_millis=5000)
metrics.set_meter_provider(MeterProvider(metric_readers=[reader]))
logging.basicConfig(level=logging.INFO)  # one line for each run, with its id

chain = ChatPromptTemplate.from_template("{question}") | ScriptedModel()

app = StreamApp(routes=[StreamRoute("/chat", chain)], telemetry=True)
