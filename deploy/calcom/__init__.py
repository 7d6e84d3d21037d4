"""An instance of Cal.com over HTTP; knows nothing of hosts.

`channel` is the interface that the rest of calstack sees, `web` its form over the web app's own procedures,
`guest` what a stranger does on the booking page, `setup` what happens before there is a user.
"""
