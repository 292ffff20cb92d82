"""For hosts that speak WSGI only: everything but the live sockets."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "omni.settings")

application = get_wsgi_application()
