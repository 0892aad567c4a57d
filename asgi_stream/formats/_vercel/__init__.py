"""The parts of the `vercel` format: requests, history, approvals, and its reverse."""
