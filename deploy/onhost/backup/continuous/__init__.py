"""Continuous protection: the database's log while it is written, bases of its files, and any moment."""
