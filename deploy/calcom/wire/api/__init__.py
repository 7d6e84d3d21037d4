"""API v2's names for things, and their translation into calstack's words and back.

As in `deploy.calcom.wire`, answers hold what calstack reads of each recorded answer and ignore the rest.
"""
