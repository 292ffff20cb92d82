"""`manage.py listen`: fetches the deliveries of providers that do not push to webhooks."""

import signal

from django.core.management.base import BaseCommand, CommandError

from connections.models import Instance
from events.door.listeners import Listeners


class Command(BaseCommand):
    help = ("Run the listeners of the named instances, or of all that need one. Changed, new and "
            "disabled instances are noticed within seconds. Stops cleanly on SIGTERM and Ctrl-C.")

    def add_arguments(self, parser):
        parser.add_argument("instances", metavar="INSTANCE", nargs="*")
        parser.add_argument("--all", action="store_true", help="every instance that needs one")

    def handle(self, *, instances: list[str], **options):
        if bool(instances) == options["all"]:
            raise CommandError("Name the instances, or say --all.", returncode=2)
        for slug in instances:
            _check(slug)
        listeners = Listeners(instances or None)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        try:
            listeners.run()
        except KeyboardInterrupt:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
            listeners.close()


def _check(slug: str) -> None:
    instance = Instance.objects.filter(slug=slug).first()
    if instance is None:
        raise CommandError(f"There is no instance '{slug}'.")
    if not instance.adapter.listens:
        raise CommandError(f"Instance '{slug}' needs no listener: {instance.adapter.title} "
                           f"delivers to /webhooks/{instance.provider}/{slug}/.")
