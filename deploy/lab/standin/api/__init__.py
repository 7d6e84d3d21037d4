"""API v2 as the stand-in speaks it: the same rows as the web app, over documented HTTP (FACTS §4, §5).

A second program of the same package, `standin serve-api`, with a Redis for its limits.
"""
