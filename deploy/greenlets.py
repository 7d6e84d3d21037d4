"""Makes the standard library cooperative, before anything else is imported; pyinfra's own command does the same.

pyinfra runs hosts in greenlets: without this every SSH connection would wait for the one before it.
"""

from gevent import monkey

monkey.patch_all()
