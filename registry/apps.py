from django.apps import AppConfig

from omni.discovery import import_below


class RegistryConfig(AppConfig):
    name = "registry"
    verbose_name = "Workflows"

    def ready(self) -> None:
        """Declare the actions that need workflows."""
        from registry import blocks

        import_below(blocks)
