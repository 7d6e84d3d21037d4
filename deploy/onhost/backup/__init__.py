"""Backups on the host: a run is a dump, the files and the manifest that belong together."""
