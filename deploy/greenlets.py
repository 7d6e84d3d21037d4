"""Makes the standard library cooperative, before anything else is imported, as pyinfra's own command does.

pyinfra runs hosts in greenlets: without it every SSH connection would wait for the one before.
"""

import gevent
from gevent import monkey

monkey.patch_all()
# What fails in a greenlet is raised again where it is waited for; gevent would print it as well.
gevent.get_hub().exception_stream = None
