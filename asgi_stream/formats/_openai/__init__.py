"""The parts of the `openai` format for Chat Completions, and those that Responses shares."""
