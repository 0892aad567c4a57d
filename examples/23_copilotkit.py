# uvicorn examples.23_copilotkit:app
"""CopilotKit's chat, whose ``useInterrupt`` asks before the agent books a train.

CopilotKit has a runtime of its own in Node.js, between its page and the agents, and web/copilotkit
serves both. In another terminal:

    cd examples/web/copilotkit
    npm install --force && npm start

and open http://localhost:3000 in a browser.
"""

from asgi_stream import StreamApp, StreamRoute

from .travel import agent, user_of

# The runtime passes the page's header `authorization` on.
app = StreamApp(
    routes=[StreamRoute("/chat", agent, format="agui")], threads=True, authorize=user_of
)
