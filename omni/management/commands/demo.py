"""`manage.py demo`: an invented day of traffic from several providers, through the front door."""

import signal
from argparse import ArgumentTypeError
from time import monotonic, sleep

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from connections.http.addresses import may_reach
from connections.models import Instance
from omni.demo import whatsapp
from omni.demo.instances import Part, lead_to, ready_parts
from omni.demo.player import Player
from omni.demo.stand_in import StandIn
from omni.errors import OmniError
from omni.web.front import EVERYWHERE, answers

START_SECONDS = 90.0  # how long to wait for the server


class Command(BaseCommand):
    help = ("Play a recorded day to the running server, again and again. Its answers to the demo's "
            "WhatsApp go to a stand-in on this machine; nothing leaves it.")

    def add_arguments(self, parser):
        parser.add_argument("--speed", type=_speed, default=60.0,
                            help="how much faster than the clock (60: the day in ten minutes)")
        parser.add_argument("--once", action="store_true", help="end after one day")

    def handle(self, *, speed: float, once: bool, **options):
        if not may_reach("127.0.0.1", "127.0.0.1", settings.OMNI_ALLOW_PRIVATE_ADDRESSES):
            raise CommandError(
                "The demo's WhatsApp server is on this machine: start everything, also the server "
                "and the workers, with OMNI_ALLOW_PRIVATE_ADDRESSES=127.0.0.0/8, or with "
                "`up --demo`.")
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        stand_in = None
        try:
            self._wait_for_server()
            parts = ready_parts()
            player = Player([(part, instance.credentials) for part, instance in parts],
                            url=_address(), speed=speed, say=self.stdout.write)
            stand_in = _stand_in(parts, player)
            player.last_sent = stand_in.last_sent
            self.stdout.write("Playing a recorded day to " + ", ".join(
                instance.slug for _, instance in parts) + ".")
            player.play(once=once)
        except KeyboardInterrupt:
            pass
        except OmniError as exc:
            raise CommandError(exc.message) from exc
        finally:
            if stand_in is not None:
                stand_in.close()

    def _wait_for_server(self) -> None:
        deadline = monotonic() + START_SECONDS
        while not answers(settings.OMNI_HOST, settings.OMNI_PORT, "/healthz"):
            if monotonic() > deadline:
                raise CommandError(f"Nothing answers at {_address()}; start `manage.py up`.")
            sleep(0.5)


def _stand_in(parts: list[tuple[Part, Instance]], player: Player) -> StandIn:
    """The server the demo's instances send to from now on."""
    keys = [instance.credentials["api_key"] for part, instance in parts if part is whatsapp]
    stand_in = StandIn(api_key=keys[0] if keys else "", on_sent=player.sent, files=player.files)
    for part, instance in parts:
        lead_to(part, instance, stand_in.url)
    return stand_in


def _address() -> str:
    """The server as this machine reaches it, without what stands in front of OMNI_PUBLIC_URL."""
    host = EVERYWHERE.get(settings.OMNI_HOST, settings.OMNI_HOST)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.OMNI_PORT}"


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise ArgumentTypeError(f"must be a number above 0, not {text!r}")
    return speed
