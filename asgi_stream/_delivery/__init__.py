"""From events to a reader: frames, and the response that they leave by."""
