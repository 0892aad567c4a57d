# uvicorn examples.15_table:app
"""A route table from a file, as an app. ``asgi-stream serve`` works without this module.

    curl -N localhost:8000/steps -H 'content-type: application/json' \\
        -d '{"messages": [["human", "What is the weather in Paris?"]]}'
"""

from pathlib import Path

from asgi_stream import StreamApp

app = StreamApp.from_toml(Path(__file__).with_suffix(".toml"))
