"""What the host shows of a smoke test: the app's log, its way out, the calendars it wrote to."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from deploy.actions.instance import Instance, quoted
from deploy.settings.layout import PROJECT
from deploy.smoke.inside import Calendars, Probe

_PROBE_SECONDS = 5
# wget(1), EXIT STATUS.
_NETWORK_FAILURE, _CERTIFICATE_REFUSED, _ERROR_ANSWER = 4, 5, 8


class HostInside:
    """`deploy.smoke.inside.Inside` over the connection to the host; the log begins when this is made."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._since = instance.remote.run("date -u +%Y-%m-%dT%H:%M:%SZ").text

    @property
    def sends_mail(self) -> bool:
        """See `Inside.sends_mail`."""
        return self._instance.settings.smtp is not None

    def own_name(self) -> Probe:
        """See `Inside.own_name`."""
        # The app trusts the authority of NODE_EXTRA_CA_CERTS beside the system's; wget needs to be told.
        trust = '${NODE_EXTRA_CA_CERTS:+"--ca-certificate=$NODE_EXTRA_CA_CERTS"} '
        return self._probe(trust + shlex.quote(f"{self._instance.settings.public_url}/api/version"))

    def reaches(self, url: str) -> Probe:
        """See `Inside.reaches`; an answer of any status will do."""
        return self._probe(shlex.quote(url))

    def log(self) -> Sequence[str]:
        """See `Inside.log`."""
        command = f"cd {PROJECT} && docker compose logs --no-log-prefix --no-color --since {self._since} web"
        return self._instance.remote.run(f"{command} 2>&1").text.splitlines()

    def calendars(self, user_id: int, uid: str) -> Calendars:
        """See `Inside.calendars`; FACTS §14 says where they stand."""
        rows = self._instance.remote.sql(
            rf"""select 'connected', type from "Credential"
                where "userId" = {int(user_id)} and type like '%\_calendar'
            union all
            select 'written', r.type from "BookingReference" r join "Booking" b on b.id = r."bookingId"
                where b.uid = {quoted(uid)} and r.type like '%\_calendar' and r.deleted is not true;"""
        )
        return Calendars(
            connected=tuple(kind for what, kind in rows if what == "connected"),
            written=tuple(kind for what, kind in rows if what == "written"),
        )

    def _probe(self, target: str) -> Probe:
        wget = f"wget -q -S -T {_PROBE_SECONDS} -t 1 -O /dev/null {target}"
        done = self._instance.remote.run(
            f"cd {PROJECT} && docker compose exec -T web sh -c {shlex.quote(wget)}", check=False
        )
        lines = done.error_text.splitlines()
        reached = done.code in (0, _ERROR_ANSWER)
        return Probe(
            reached,
            certificate_refused=done.code == _CERTIFICATE_REFUSED,
            said=lines[-1].strip()[:200] if lines else f"wget ended with {done.code}",
        )
