"""One module a part of a host: the files that it gets and how they take effect."""
