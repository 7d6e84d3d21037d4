"""An instance over HTTP; knows nothing of hosts."""
