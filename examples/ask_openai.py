"""A client of 10_openai.py, written with OpenAI's Python package."""

import os

from openai import OpenAI

url = os.environ.get("URL", "http://localhost:8000/v1")
client = OpenAI(base_url=url, api_key="not needed")
for chunk in client.chat.completions.create(
    model="script", messages=[{"role": "user", "content": "What is a stream?"}], stream=True
):
    print(chunk.choices[0].delta.content or "", end="", flush=True)
