"""Makes the standard library cooperative, before anything else is imported, as pyinfra's own command does.

pyinfra runs hosts in greenlets: without it every SSH connection would wait for the one before.
"""

from gevent import monkey

monkey.patch_all()
