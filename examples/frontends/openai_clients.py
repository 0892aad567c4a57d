# python -m examples.frontends.openai_clients
"""Python clients of openai.py: OpenAI's own package, and LangChain's ChatOpenAI."""

import os

from langchain_openai import ChatOpenAI
from openai import OpenAI, RateLimitError
from pydantic import BaseModel, SecretStr

url = os.environ.get("URL", "http://localhost:8000/v1")

# --8<-- [start:openai]
client = OpenAI(base_url=url, api_key="secret-of-ann")  # api_key may be a function: a fresh token

stream = client.chat.completions.create(
    model="script",
    messages=[{"role": "user", "content": "What is a stream?"}],
    stream=True,
    stream_options={"include_usage": True},
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
# --8<-- [end:openai]
print()

# --8<-- [start:stop]
stream = client.chat.completions.create(
    model="script", messages=[{"role": "user", "content": "Tell me more."}], stream=True
)
for chunk in stream:
    if chunk.choices[0].delta.content:
        stream.close()  # the run is cancelled
        break
# --8<-- [end:stop]

# --8<-- [start:tools]
answer = client.chat.completions.create(
    model="script",
    messages=[{"role": "user", "content": "What is the weather?"}],
    tools=[{"type": "function", "function": {"name": "weather", "parameters": {}}}],
)
[call] = answer.choices[0].message.tool_calls or []
print(call.id, answer.choices[0].finish_reason)  # call_1 tool_calls
# --8<-- [end:tools]


# --8<-- [start:parse]
class Forecast(BaseModel):
    city: str
    degrees: int


parsed = client.chat.completions.parse(
    model="forecast",
    messages=[{"role": "user", "content": "The weather in Paris?"}],
    response_format=Forecast,
)
print(parsed.choices[0].message.parsed)
# --8<-- [end:parse]

# --8<-- [start:errors]
try:
    client.with_options(max_retries=0).chat.completions.create(
        model="busy", messages=[{"role": "user", "content": "Hi?"}]
    )
except RateLimitError as error:
    print(error.code, error.body)  # rate_limited {'message': 'Slow down.', ...}
# --8<-- [end:errors]

# --8<-- [start:stored]
response = client.responses.create(model="script", input="What is a stream?", background=True)
for event in client.responses.retrieve(response.id, stream=True):
    print(event.sequence_number, event.type)
response = client.responses.retrieve(response.id)
print(response.status, response.output_text)
client.responses.delete(response.id)
# --8<-- [end:stored]

# --8<-- [start:langchain]
model = ChatOpenAI(model="agent", base_url=url, api_key=SecretStr("secret-of-ann"))
for piece in model.stream("What is the weather in Paris?"):
    print(piece.text, end="", flush=True)
# --8<-- [end:langchain]
print()
