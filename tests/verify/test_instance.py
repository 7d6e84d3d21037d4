from __future__ import annotations

import pytest

from tests.verify.complaint import complaint, listed
from tests.verify.server import Server

SECRETS = ("NEXTAUTH_SECRET", "CALENDSO_ENCRYPTION_KEY", "CRON_API_KEY", "CRON_SECRET")


@pytest.mark.parametrize("name", SECRETS)
def test_the_app_runs_with_the_inventory_s_own_secret(server: Server, name: str) -> None:
    secret = server.found("environment")["secrets"][name]
    fix = "calstack deploy restarts the app with it"
    assert secret["length"], complaint(
        f"{name} is not set",
        why="without it sessions, stored credentials or jobs do not work, or are open",
        fix=fix,
    )
    assert not secret["is_a_sample"], complaint(
        f"{name} is a value from Cal.com's sample files",
        why="everybody knows it",
        fix="find its name: calstack secrets list; replace it: calstack secrets set; then calstack deploy",
    )
    assert secret["is_the_inventory_s"], complaint(
        f"{name} of the running app is not the one in the inventory",
        why="jobs are refused, minted sessions do not open, a backup's key would not fit its data",
        fix=fix,
    )


def test_the_encryption_key_has_the_one_length_that_works(server: Server) -> None:
    length = server.found("environment")["secrets"]["CALENDSO_ENCRYPTION_KEY"]["length"]
    assert length == 32, complaint(
        f"CALENDSO_ENCRYPTION_KEY has {length} characters in the running app, not 32",
        why="two-factor sign-in and every connected calendar fail",
        fix="are there quotes around it in /opt/calcom/web.env? calstack deploy writes it right",
    )


def test_the_app_knows_its_public_address(server: Server) -> None:
    public = server.found("environment")["public"]
    for name in ("NEXT_PUBLIC_WEBAPP_URL", "NEXTAUTH_URL"):
        assert public[name] == server.settings.public_url, complaint(
            f"{name} is {public[name]!r}, not {server.settings.public_url}",
            why="nobody stays signed in, or links in mails lead elsewhere",
            fix="calstack deploy",
        )


def test_the_app_checks_certificates(server: Server) -> None:
    value = server.found("environment")["public"]["NODE_TLS_REJECT_UNAUTHORIZED"]
    assert value != "0", complaint(
        "NODE_TLS_REJECT_UNAUTHORIZED=0: the app trusts any certificate",
        why="whoever stands in between reads calendars' tokens and mail passwords",
        fix="remove it; give private authorities as app.ca_file",
    )


def test_the_app_reaches_itself_by_its_public_name(server: Server) -> None:
    hairpin = server.found("hairpin")
    assert hairpin["reached"], complaint(
        f"from inside of web https://{server.settings.domain} cannot be reached: {hairpin['said']}",
        why="signing in fails, and pages that load parts of themselves stay empty",
        fix="docker network inspect calcom_front: has proxy the domain as alias? calstack deploy",
    )


def test_the_task_queue_opens_to_nobody_without_its_secret(server: Server) -> None:
    for part, header in (
        ("bearer_undefined", "with 'Bearer undefined'"),
        ("no_credentials", "without credentials"),
    ):
        status = server.found(part)
        assert status in (401, 403), complaint(
            f"/api/tasks/cron answers {status} {header} at the inner entrance",
            why="200: CRON_SECRET is not set in the running app, and anybody inside can start its work",
            fix="calstack deploy; 5xx: docker compose logs --since 15m web proxy",
        )


def test_the_administrator_is_ours(server: Server) -> None:
    found, expected = server.found("database")["administrators"], server.settings.admin.email
    assert expected in found, complaint(
        f"{expected} is not among the administrators: {listed(found) or 'there are none'}",
        why="somebody else may have set this instance up",
        fix="none: calstack deploy; others: if none is you, a stranger was first",
    )


def test_the_administrator_is_past_onboarding(server: Server) -> None:
    unfinished = server.found("database")["unfinished_onboarding"]
    assert server.settings.admin.email not in unfinished, complaint(
        "the administrator has not finished onboarding",
        why="every page leads to the same questions",
        fix="calstack deploy",
    )


def test_strangers_can_sign_up_only_if_they_shall(server: Server) -> None:
    if server.settings.app.sign_up == "open":
        return
    variable = server.found("environment")["public"]["NEXT_PUBLIC_DISABLE_SIGNUP"]
    flag = server.found("database")["sign_up_disabled"]
    why = "strangers can make accounts, and signing up can replace an existing user's password"
    assert variable == "true", complaint(
        f"NEXT_PUBLIC_DISABLE_SIGNUP is {variable!r} in the running app", why=why, fix="calstack deploy"
    )
    assert flag, complaint("the feature flag disable-signup is off", why=why, fix="calstack deploy")


def test_mail_is_not_switched_off(server: Server) -> None:
    if server.settings.smtp is None:
        return
    assert not server.found("database")["mail_stopped"], complaint(
        "the feature flag 'emails' is on, which stops all mail",
        why="guests and hosts hear nothing of their bookings",
        fix="switch it off at /settings/admin/flags",
    )


def test_no_meeting_webhook_is_overdue(server: Server) -> None:
    database = server.found("database")
    assert database["overdue"] == 0, complaint(
        f"{database['overdue']} scheduled webhooks are overdue by five minutes or more, "
        f"the first since {database['longest_overdue']} UTC",
        why="MEETING_STARTED and MEETING_ENDED are late; after a day Cal.com drops them",
        fix="python3 /opt/calcom/onhost.pyz job webhook-triggers",
    )


def test_no_migration_is_half_done(server: Server) -> None:
    unfinished = server.found("database")["unfinished_migrations"]
    assert unfinished == 0, complaint(
        f"{unfinished} migrations began and did not end",
        why="the app may write into tables that are not as it believes; no upgrade will start",
        fix="select migration_name, logs from _prisma_migrations where finished_at is null",
    )


def test_the_database_notices_damaged_pages(server: Server) -> None:
    checksums = server.found("database")["checksums"]
    assert checksums == "on", complaint(
        "the database was made without checksums",
        why="a failing disk gives wrong data instead of an error, and backups keep it",
        fix="stop db, run pg_checksums --enable on its volume, start db",
    )
