"""`manage.py rotate_secrets`: every encrypted column is encrypted anew with the first key.

Put the new key in front of OMNI_ENCRYPTION_KEYS, restart everything, run this. It may be stopped
and started again at any time. Exit code 1: some rows are opened by no key of the list.
"""

import sys
from binascii import Error as NoBase64
from collections import Counter
from collections.abc import Iterator

from django.apps import apps
from django.core.management.base import BaseCommand
from django.db import models, transaction
from django.db.models import TextField, Value
from django.db.models.functions import Cast

from omni import audit
from omni.errors import NotConfigured
from omni.secrets import EncryptedJSONField, decrypt, encrypt, is_current

BATCH = 200
_UNREADABLE = (NotConfigured, NoBase64, ValueError, IndexError)


class Command(BaseCommand):
    help = "Encrypt every stored secret with the first key of OMNI_ENCRYPTION_KEYS."

    def add_arguments(self, parser):
        parser.add_argument("--dry-run", action="store_true", help="only count")

    def handle(self, *, dry_run: bool, **options):
        totals: Counter[str] = Counter()
        for field in encrypted_fields():
            counts = self._rotate(field, dry_run=dry_run)
            totals.update(counts)
            done = "to encrypt anew" if dry_run else "encrypted anew"
            self.stdout.write(f"{field.model._meta.db_table}.{field.column}: "
                              f"{counts['rotated']} {done}, {counts['current']} up to date, "
                              f"{counts['unreadable']} opened by no key")
        if totals["rotated"] and not dry_run:
            audit.note("command:rotate_secrets", "secrets.rotated", rows=totals["rotated"],
                       unreadable=totals["unreadable"])
        if totals["unreadable"]:
            sys.exit(1)

    def _rotate(self, field: EncryptedJSONField, *, dry_run: bool) -> Counter[str]:
        place = f"{field.model._meta.db_table}.{field.column}"
        counts: Counter[str] = Counter(rotated=0, current=0, unreadable=0)
        for batch in _batches(field):
            with transaction.atomic():
                for pk, sealed in batch:
                    try:
                        if is_current(sealed):
                            decrypt(sealed, place=place)
                            counts["current"] += 1
                            continue
                        fresh = encrypt(decrypt(sealed, place=place), place=place)
                    except _UNREADABLE as exc:
                        counts["unreadable"] += 1
                        self.stderr.write(f"{place}, row {pk}: {_reason(exc)}")
                        continue
                    if dry_run or _replace(field, pk, sealed, fresh):
                        counts["rotated"] += 1
        return counts


def encrypted_fields() -> Iterator[EncryptedJSONField]:
    """Every encrypted column of every model, each once."""
    for model in apps.get_models():
        if not model._meta.proxy:
            yield from (field for field in model._meta.local_concrete_fields
                        if isinstance(field, EncryptedJSONField))


def _rows(field: EncryptedJSONField) -> models.QuerySet:
    """Rows with their ciphertext as `sealed`, which is read without being opened."""
    return field.model._base_manager.annotate(sealed=Cast(field.name, TextField()))


def _batches(field: EncryptedJSONField) -> Iterator[list[tuple[object, str]]]:
    rows = _rows(field).filter(sealed__isnull=False).order_by("pk").values_list("pk", "sealed")
    batch = list(rows[:BATCH])
    while batch:
        yield batch
        batch = list(rows.filter(pk__gt=batch[-1][0])[:BATCH])


def _replace(field: EncryptedJSONField, pk: object, sealed: str, fresh: str) -> bool:
    """Write the new ciphertext unless somebody changed the row meanwhile."""
    return bool(_rows(field).filter(pk=pk, sealed=sealed).update(
        **{field.name: Value(fresh, output_field=TextField())}))


def _reason(exc: Exception) -> str:
    return exc.message if isinstance(exc, NotConfigured) else "no ciphertext of ours"
