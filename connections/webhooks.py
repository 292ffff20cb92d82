"""The address a provider posts to."""

from django.conf import settings

from connections.models import Instance


def webhook_url(instance: Instance) -> str:
    return f"{settings.OMNI_PUBLIC_URL}/webhooks/{instance.provider}/{instance.slug}/"
