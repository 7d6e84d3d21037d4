"""Where things lie on a host; the one place that names these paths."""

from __future__ import annotations

PROJECT = "/opt/calcom"
"""Folder of the compose project; a user's compose.override.yaml beside ours is honoured."""

ONHOST = f"/usr/bin/python3 {PROJECT}/onhost.pyz"
"""Starts what runs on the host by itself."""

HOST_LOCK = "/run/lock/calcom-host.lock"
"""Held by whoever changes the instance, from here or on the host."""

PSQL = f"cd {PROJECT} && docker compose exec -T db psql -X -q -A -t -v ON_ERROR_STOP=1 -U calcom -d calcom"
"""Reads SQL from standard input and prints bare rows, columns split by `|`; more options may follow."""

PROXY_SOCKETS = "/var/lib/calcom/proxy"
"""Folder of HAProxy's runtime socket `admin.sock`, for root and HAProxy alone."""

CERTIFICATES = f"{PROJECT}/proxy/certificates"
"""Folder of the certificate that the proxy serves, `site.pem`, for HAProxy and root alone."""

ACME = f"{PROJECT}/acme"
"""Folder of lego: the account at the ACME server, and what it got."""

CERTIFICATE_RECORD = "/var/lib/calcom/certificate.json"
"""What the certificate that lego got was made for; without it a new one is got."""

BACKUP = f"{PROJECT}/backup"
"""Folder of what backing up needs: where to, the passwords, keys for SSH."""

RESTORE_STATE = "/var/lib/calcom/restore.json"
"""How far a restore has come; there is none while the file is missing."""

BACKUP_STATE = "/var/lib/calcom/backup"
"""Folder of what the host knows of its runs without asking a repository."""

CONTINUOUS = "/var/lib/calcom/continuous"
"""Folder of continuous protection: what was received of the database's log, and what is made on the way."""

CARRIED_SECRETS = f"{BACKUP}/secrets.json"
"""The host's own secrets, for its backups alone: whoever has lost the inventory has them there."""

NEW_HOST = "/var/lib/calcom/new-host"
"""While a host is made of a run: where that is read from, how far it has come; its last step removes it."""

NEW_HOST_STEP = f"/usr/bin/python3 {NEW_HOST}/onhost.pyz backup --config {NEW_HOST}/config.json new-host"
"""Starts one of the steps by which a host is made of a run."""

RESTIC = "/usr/local/bin/restic"
"""The program that keeps the backups."""

REDIS_CLI = f"cd {PROJECT} && docker compose exec -T cache redis-cli -h 127.0.0.1"
"""Sends the command behind it to the cache."""

MAINTENANCE_MAP = f"{PROJECT}/proxy/maintenance.map"
"""What HAProxy knows of a maintenance; there is none while the file is missing or empty."""

PROXY_LIMITS = f"{PROJECT}/proxy/limits"
"""Folder of the proxy's limits: its maps of amounts and of keys, each changed in the running HAProxy too."""

PROXY_LIMITS_INSIDE = "/usr/local/etc/haproxy/limits"
"""The same folder as the proxy's container sees it."""
