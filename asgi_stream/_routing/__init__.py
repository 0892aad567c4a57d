"""Which route serves a request, and what each route is made of."""
