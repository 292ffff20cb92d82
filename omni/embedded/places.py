"""Where the embedded server keeps its files and its socket; remembered in the data folder.

Normally both are in the data folder. Root may have to put them elsewhere, because the server's
account cannot enter /root; and a socket's path may not exceed about 100 bytes. Knows no Django.
"""

import json
import os
import tempfile
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from omni.embedded.binaries import Account
from omni.errors import InvalidInput

REMEMBERED = "postgres.json"  # in the data folder: {"home": folder, "socket": folder}
FALLBACK = Path("/var/lib/omni")
LONGEST_SOCKET = 100  # bytes; the system's limit is 104 (macOS) or 108 (Linux) with a final zero
SOCKET_FILE = ".s.PGSQL.5432"


def socket_url(data_dir: Path) -> str:
    """The address at which the embedded server of `data_dir` answers, running or not."""
    data_dir = Path(data_dir).absolute()
    folder = places_of(data_dir).get("socket", str(data_dir / "run"))
    return f"postgres:///omni?host={quote(folder)}&port=5432&user=omni"


def choose_home(data_dir: Path, account: Account) -> Path:
    """The folder that holds `postgres/` and `run/`: `data_dir`, or one the account can enter.

    Changes rights only of `data_dir` itself, and only for the group of the server's account.
    Raises InvalidInput when a remembered folder is gone.
    """
    remembered = places_of(data_dir).get("home")
    if remembered:
        home = Path(remembered)
        if not home.is_dir():
            raise InvalidInput(
                f"The database of {data_dir} is kept in {home}, and that folder is gone. Restore "
                f"it, or remove {data_dir / REMEMBERED} to start with an empty database.",
                code="database_gone")
        return home
    if not account.other or account.reaches(data_dir):
        return data_dir
    if account.reaches(data_dir.parent):
        os.chown(data_dir, -1, account.gid)
        data_dir.chmod(0o710)
        return data_dir
    home = FALLBACK / sha256(os.fsencode(data_dir)).hexdigest()[:12]
    for folder in (FALLBACK, home):
        if not folder.exists():
            folder.mkdir(parents=True)
            folder.chmod(0o755)  # whatever the umask says
    if not account.reaches(home):
        raise InvalidInput(
            f"The account {account.uid}, which runs PostgreSQL for root, can enter neither "
            f"{data_dir} nor {home}. Set OMNI_DATA_DIR to a folder below one that everybody may "
            "enter, run Omni as an ordinary user, or set DATABASE_URL.", code="database_folder")
    _remember(data_dir, home=str(home))
    return home


def prepare_socket(data_dir: Path, account: Account, *, home: Path) -> Path:
    """The socket's folder, existing, owned by the account, closed to everybody else."""
    folder = home / "run"
    if len(os.fsencode(folder / SOCKET_FILE)) > LONGEST_SOCKET:
        kept = Path(places_of(data_dir).get("socket", ""))
        folder = kept if kept.name.startswith("omni-") and _is_ours(kept, account) else Path(
            tempfile.mkdtemp(prefix="omni-"))
    folder.mkdir(exist_ok=True, mode=0o700)
    give(folder, account)
    if folder != data_dir / "run" or "socket" in places_of(data_dir):
        _remember(data_dir, socket=str(folder))
    return folder


def give(folder: Path, account: Account) -> None:
    """Make `folder`, which we created, the account's own."""
    if account.other:
        os.chown(folder, account.uid, account.gid)
    folder.chmod(0o700)


def _is_ours(folder: Path, account: Account) -> bool:
    """False for a folder that is gone or that somebody else put in its place."""
    return (folder.is_dir() and not folder.is_symlink()
            and folder.stat().st_uid in (account.uid, os.geteuid()))


def places_of(data_dir: Path) -> dict[str, str]:
    """What the data folder says about places outside of it: {"home": folder, "socket": folder}."""
    try:
        return json.loads((data_dir / REMEMBERED).read_text())
    except FileNotFoundError:
        return {}


def _remember(data_dir: Path, **facts: str) -> None:
    path = data_dir / REMEMBERED
    unfinished = path.with_suffix(".new")
    unfinished.write_text(json.dumps({**places_of(data_dir), **facts}))
    unfinished.replace(path)
