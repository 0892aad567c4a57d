"""From a request to its response: what matched it, and what answers it."""
