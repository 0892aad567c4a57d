"""What the `vercel` format is made of: requests, history, approvals, and its reverse."""
