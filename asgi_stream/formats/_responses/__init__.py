"""The parts of the `openai` format for the Responses API."""
