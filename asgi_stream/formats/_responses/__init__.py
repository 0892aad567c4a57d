"""What the `openai` format has for the Responses API."""
