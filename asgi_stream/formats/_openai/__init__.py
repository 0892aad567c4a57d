"""What the `openai` format has for Chat Completions, and what Responses shares with it."""
