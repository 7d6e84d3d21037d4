"""Makes the standard library cooperative, before anything else is imported, as pyinfra's own command does.

pyinfra runs hosts in greenlets: without it every SSH connection would wait for the one before.
"""

import threading

import gevent
from gevent import monkey

monkey.patch_all()
# What fails in a greenlet is raised again where it is waited for; gevent would print it as well.
gevent.get_hub().exception_stream = None


def _report(error: threading.ExceptHookArgs) -> None:
    """Ctrl-C reaches the greenlet that runs just then, maybe a connection's; it is meant for the command."""
    if issubclass(error.exc_type, KeyboardInterrupt):
        gevent.get_hub().handle_system_error(KeyboardInterrupt, KeyboardInterrupt())
    else:
        threading.__excepthook__(error)


threading.excepthook = _report
