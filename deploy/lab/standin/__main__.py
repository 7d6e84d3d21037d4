"""Start the stand-in, or run one of its two one-shot steps.

`python -m deploy.lab.standin [serve | serve-api | migrate | seed-app-store]`; in the image the package is
`standin`.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys

import psycopg
import uvicorn
from starlette.applications import Starlette

from .api.application import application as api_application
from .api.settings import ApiSettings
from .app_store import seed_app_store
from .instance import Instance
from .migrate import MigrationError, migrate
from .settings import DEFAULT_VERSION, Settings, SettingsError, database_url
from .web.application import application

# In this version the official seed fails after its work is done (FACTS §13).
SEED_EXITS_1 = (6, 0, 2)


def version_numbers() -> tuple[int, ...]:
    """The version that is played, as numbers."""
    text = (os.environ.get("STANDIN_VERSION") or DEFAULT_VERSION).removeprefix("v")
    return tuple(int(part) for part in text.split("-")[0].split("."))


def run_migrate() -> int:
    """Migrate; 1 where that failed."""
    url = os.environ.get("DATABASE_DIRECT_URL") or database_url(os.environ)
    applied = migrate(url, version_numbers())
    for name in applied:
        print(f"Applying migration `{name}`")
    print("All migrations have been successfully applied." if applied else "No pending migrations to apply.")
    return 0


def run_seed() -> int:
    """Seed the app store; the exit code is the official script's, right or wrong."""
    count = seed_app_store(database_url(os.environ), os.environ)
    print(f"Seeded {count} apps.")
    if version_numbers() == SEED_EXITS_1:
        print("seedAppData is not defined", file=sys.stderr)
        return 1
    return 0


def run_serve() -> int:
    """Answer requests until SIGTERM."""
    settings = Settings.from_environment()
    return listen(application(Instance.of(settings)), settings.host, settings.port)


def run_serve_api() -> int:
    """Answer requests to API v2 until SIGTERM."""
    settings = ApiSettings.from_environment()
    return listen(api_application(settings), settings.shared.host, settings.port)


def listen(app: Starlette, host: str, port: int) -> int:
    """Serve an application until SIGTERM."""
    uvicorn.run(
        app,
        host=host,
        port=port,
        access_log=False,
        log_level="warning",
        server_header=False,
        date_header=True,
        timeout_keep_alive=75,
    )
    return 0


COMMANDS = {
    "serve": run_serve,
    "serve-api": run_serve_api,
    "migrate": run_migrate,
    "seed-app-store": run_seed,
}


def main() -> int:
    """Run one command; problems of the environment are told in one line."""
    parser = argparse.ArgumentParser(prog="standin", description="A small substitute for Cal.com.")
    parser.add_argument("command", nargs="?", default="serve", choices=list(COMMANDS))
    command = parser.parse_args().command
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    try:
        return COMMANDS[command]()
    except (SettingsError, MigrationError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except psycopg.OperationalError as error:
        print(f"Error: P1001: Can't reach database server: {error}", file=sys.stderr)
        return 1
    except (ValueError, KeyError) as error:
        print(f"Error: {command}: {error!r}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
