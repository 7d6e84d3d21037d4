"""The stand-in: a small substitute for Cal.com's web app, for the lab alone.

It keeps Cal.com's tables in PostgreSQL and answers as the recorded real server does, by following the
rules, never by looking recorded answers up. It is not Cal.com and shares no code with it.

- `core/` is what an instance does with its rows: schedules, slots, event types, bookings, webhooks;
- `web/` is how the web app speaks of that over HTTP;
- the modules beside this one start it: settings, database, migrations, the app-store seed.

It runs alone in its container image, so it imports nothing else of calstack.
"""
