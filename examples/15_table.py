# uvicorn examples.15_table:app
"""A table from a file, in an app of your own. ``asgi-stream serve`` needs no such file.

    curl -N localhost:8000/steps -H 'content-type: application/json' \\
        -d '{"messages": [["human", "What is the weather in Paris?"]]}'
"""

from pathlib import Path

from asgi_stream import StreamApp

app = StreamApp.from_toml(Path(__file__).with_suffix(".toml"))
