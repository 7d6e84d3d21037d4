"""calstack: from a bare host to a working, verified Cal.com, and how it stays that way."""
