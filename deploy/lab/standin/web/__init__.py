"""How the web app speaks: its pages, its HTTP endpoints and its tRPC procedures."""
