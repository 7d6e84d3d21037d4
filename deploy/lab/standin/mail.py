"""Mail by SMTP: sent behind the answer; what fails is logged and forgotten (FACTS §2, Email)."""

from __future__ import annotations

import logging
import smtplib
import ssl
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from email.utils import formataddr

from .settings import MailSettings

IMPLICIT_TLS_PORT = 465
PATIENCE_SECONDS = 30

log = logging.getLogger("standin.mail")


class Mailer:
    """Sends plain mails one after the other; without a configured server it sends nothing."""

    def __init__(self, settings: MailSettings, tls: ssl.SSLContext) -> None:
        self._settings = settings
        self._tls = tls
        self._queue = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mail")

    def send(self, to: str, subject: str, text: str) -> None:
        """Send a mail soon; returns at once and never raises."""
        if self._settings.host is None:
            log.debug("no mail server configured: a mail about %r was not sent", subject)
            return
        message = EmailMessage()
        message["From"] = formataddr((self._settings.sender_name, self._settings.sender))
        message["To"] = to
        message["Subject"] = subject
        message.set_content(text)
        self._queue.submit(self._deliver, message)

    def _deliver(self, message: EmailMessage) -> None:
        try:
            with self._connected() as server:
                if self._settings.user:
                    server.login(self._settings.user, self._settings.password)
                server.send_message(message)
        except (OSError, smtplib.SMTPException) as error:
            log.error("mail to %s was not sent: %s", message["To"], error)

    def _connected(self) -> smtplib.SMTP:
        host, port = self._settings.host or "", self._settings.port
        if port == IMPLICIT_TLS_PORT:
            return smtplib.SMTP_SSL(host, port, timeout=PATIENCE_SECONDS, context=self._tls)
        server = smtplib.SMTP(host, port, timeout=PATIENCE_SECONDS)
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=self._tls)
            server.ehlo()
        return server

    def close(self) -> None:
        """Wait for the mails under way."""
        self._queue.shutdown()
