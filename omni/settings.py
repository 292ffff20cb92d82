"""Every setting in one file; the environment decides. Ours start with OMNI_.

docs/operations.md lists each with its default, and a test keeps that list true.
"""

import os
import secrets
from pathlib import Path

import environ

from connections.http.addresses import read_allowed
from omni.embedded.places import socket_url
from omni.logs import PROCESS_NAME

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

# --- this installation -------------------------------------------------------------------------
OMNI_DATA_DIR = Path(env.str("OMNI_DATA_DIR", str(BASE_DIR / ".omni")))
OMNI_HOST = env.str("OMNI_HOST", "127.0.0.1")
OMNI_PORT = env.int("OMNI_PORT", 8000)
OMNI_PUBLIC_URL = env.str("OMNI_PUBLIC_URL", f"http://{OMNI_HOST}:{OMNI_PORT}").rstrip("/")
OMNI_WORKERS = env.int("OMNI_WORKERS", 2)  # worker processes that route events and run workflows
OMNI_WORKER_THREADS = env.int("OMNI_WORKER_THREADS", 24)  # runs at the same time in one of them
OMNI_INSTANCE_SHARE = env.float("OMNI_INSTANCE_SHARE", 0.5)  # of these, for the runs of one account
OMNI_PARALLEL_STEPS = env.int("OMNI_PARALLEL_STEPS", 8)  # arms and turns of one run at a time
OMNI_ADMIN_USER = env.str("OMNI_ADMIN_USER", "admin")
OMNI_ADMIN_PASSWORD = env.str("OMNI_ADMIN_PASSWORD", "")
OMNI_BOOTSTRAP_API_KEY = env.str("OMNI_BOOTSTRAP_API_KEY", "")

# --- what runs may send; 0 is no limit ---------------------------------------------------------
OMNI_SENDS_PER_MINUTE = env.int("OMNI_SENDS_PER_MINUTE", 600)  # of one account; more waits
OMNI_SENDS_PER_PERSON = env.int("OMNI_SENDS_PER_PERSON", 60)  # a minute to one person; more waits
OMNI_ECHO_WAIT_SECONDS = env.float("OMNI_ECHO_WAIT_SECONDS", 20)  # a step, for an unknown send's
OMNI_REPLIES_PER_MINUTE = env.int("OMNI_REPLIES_PER_MINUTE", 10)  # runs answering one conversation
OMNI_LOOP_PAUSE_MINUTES = env.float("OMNI_LOOP_PAUSE_MINUTES", 15)  # silence after more than that

# --- front door --------------------------------------------------------------------------------
OMNI_WEBHOOK_MAX_BYTES = env.int("OMNI_WEBHOOK_MAX_BYTES", 64 * 1024 * 1024)
OMNI_MEDIA_MAX_BYTES = env.int("OMNI_MEDIA_MAX_BYTES", 64 * 1024 * 1024)  # one fetched file
OMNI_GROUP_COMMIT = env.bool("OMNI_GROUP_COMMIT", True)  # False: each delivery its own commit
OMNI_DOOR_BYTES_IN_FLIGHT = env.int("OMNI_DOOR_BYTES_IN_FLIGHT", 256 * 1024 * 1024)  # all bodies
OMNI_COMMIT_QUEUE = env.int("OMNI_COMMIT_QUEUE", 2000)  # deliveries waiting; more answer 503
OMNI_SPOOL_DIR = env.str("OMNI_SPOOL_DIR", "")  # empty: no spool, 503 while the database is away
OMNI_SPOOL_MAX_BYTES = env.int("OMNI_SPOOL_MAX_BYTES", 2 * 1024 ** 3)
OMNI_INSTANCE_CACHE_SECONDS = env.float("OMNI_INSTANCE_CACHE_SECONDS", 1.0)

# --- engine ------------------------------------------------------------------------------------
OMNI_LEASE_SECONDS = env.float("OMNI_LEASE_SECONDS", 10.0)
OMNI_HOST_SHARE = env.float("OMNI_HOST_SHARE", 0.5)  # of a worker's threads, calling one host
OMNI_BREAKER_FAILURES = env.int("OMNI_BREAKER_FAILURES", 5)  # in a row; 0: agents are always asked
OMNI_BREAKER_SECONDS = env.float("OMNI_BREAKER_SECONDS", 30)  # not asked then, but for one call
OMNI_ALLOW_PRIVATE_ADDRESSES = read_allowed(env.str("OMNI_ALLOW_PRIVATE_ADDRESSES", ""))
OMNI_LLM_BASE_URL = env.str("OMNI_LLM_BASE_URL", "")
OMNI_LLM_API_KEY = env.str("OMNI_LLM_API_KEY", "")
OMNI_LLM_MODEL = env.str("OMNI_LLM_MODEL", "")
OMNI_LLM_PRICE_REQUEST = env.float("OMNI_LLM_PRICE_REQUEST", 0)  # per million tokens
OMNI_LLM_PRICE_RESPONSE = env.float("OMNI_LLM_PRICE_RESPONSE", 0)
OMNI_STT_BASE_URL = env.str("OMNI_STT_BASE_URL", "")  # empty: the language model's endpoint
OMNI_STT_API_KEY = env.str("OMNI_STT_API_KEY", "")
OMNI_STT_MODEL = env.str("OMNI_STT_MODEL", "whisper-1")
OMNI_SLACK_API_URL = env.str("OMNI_SLACK_API_URL", "https://slack.com/api")
OMNI_SLACK_BOT_TOKEN = env.str("OMNI_SLACK_BOT_TOKEN", "")
OMNI_SLACK_WEBHOOK_URL = env.str("OMNI_SLACK_WEBHOOK_URL", "")
OMNI_FAILPOINT = env.str("OMNI_FAILPOINT", "")  # tests only: name:kill|raise|sleep
OMNI_TEST_MODE = env.bool("OMNI_TEST_MODE", False)


def _kept_secret(name: str) -> str:
    """A random secret kept in the data folder, made on first use, readable by its owner only."""
    path = OMNI_DATA_DIR / name
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    OMNI_DATA_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(handle, "w") as file:
        secret = secrets.token_urlsafe(48)
        file.write(secret)
    return secret


SECRET_KEY = env.str("OMNI_SECRET_KEY", "") or _kept_secret("secret_key")
OMNI_ENCRYPTION_KEYS = env.list("OMNI_ENCRYPTION_KEYS", default=[]) or [
    _kept_secret("encryption_key")]  # the first encrypts, all decrypt

# --- Django ------------------------------------------------------------------------------------
DEBUG = env.bool("OMNI_DEBUG", False)
ALLOWED_HOSTS = env.list("OMNI_ALLOWED_HOSTS", default=[
    "localhost", "127.0.0.1", "[::1]", OMNI_HOST, OMNI_PUBLIC_URL.split("//")[-1].split("/")[0]
    .rsplit(":", 1)[0]])
CSRF_TRUSTED_ORIGINS = [OMNI_PUBLIC_URL]
OMNI_TRUSTED_PROXIES = env.list("OMNI_TRUSTED_PROXIES", default=["127.0.0.0/8", "::1"])
USE_X_FORWARDED_HOST = False
INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_filters",
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "channels",
    "django_q",
    "omni",
    "connections",
    "events",
    "actions",
    "registry",
    "catalog",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "omni.web.headers.security_headers",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "omni.web.slashes.SlashMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "omni.urls"
ASGI_APPLICATION = "omni.asgi.application"
WSGI_APPLICATION = "omni.wsgi.application"
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "DIRS": [BASE_DIR / "templates"],
    "APP_DIRS": True,
    "OPTIONS": {"context_processors": [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]},
}]

# Without DATABASE_URL every command attaches to the embedded server of the data folder.
DATABASES = {"default": env.db_url_config(
    os.environ.get("DATABASE_URL") or socket_url(OMNI_DATA_DIR))}
DATABASES["default"].update({
    "ENGINE": "django.db.backends.postgresql",
    "CONN_MAX_AGE": 600,
    "CONN_HEALTH_CHECKS": True,
})
DATABASES["default"].setdefault("OPTIONS", {})
DATABASES["default"]["OPTIONS"].setdefault("connect_timeout", 5)
DATABASES["default"]["OPTIONS"].setdefault(
    "application_name", "omni" if PROCESS_NAME == "omni" else f"omni-{PROCESS_NAME}")
# A statement or a lock that takes so long is somebody's mistake, and nobody else's wait. Commands
# (migrations, imports) have no bounds.
_PATIENCE = {"web": (30, 10), "worker": (120, 10), "listeners": (30, 10)}.get(PROCESS_NAME)
if _PATIENCE is not None:
    DATABASES["default"]["OPTIONS"].setdefault("options", (
        f"-c statement_timeout={_PATIENCE[0]}s -c lock_timeout={_PATIENCE[1]}s "
        "-c idle_in_transaction_session_timeout=60s"))
for _option, _value in (("keepalives_idle", 10), ("keepalives_interval", 3),
                        ("keepalives_count", 3), ("tcp_user_timeout", 20_000)):
    DATABASES["default"]["OPTIONS"].setdefault(_option, _value)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTHENTICATION_BACKENDS = ["omni.web.sign_in.BrakedBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
     "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
MEDIA_ROOT = OMNI_DATA_DIR / "media"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False  # files are found once, at the start
LOGIN_URL = "/admin/login/"
LOGIN_REDIRECT_URL = "/admin/"
FORMAT_MODULE_PATH = ["omni.formats"]
DATA_UPLOAD_MAX_MEMORY_SIZE = OMNI_WEBHOOK_MAX_BYTES
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = OMNI_PUBLIC_URL.startswith("https://")
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "connections.rest.authentication.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["connections.rest.authentication.HasScope"],
    "DEFAULT_PAGINATION_CLASS": "omni.api.KeysetPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PARSER_CLASSES": ["connections.rest.views.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "EXCEPTION_HANDLER": "omni.api.problem_handler",
    "DEFAULT_VERSIONING_CLASS": None,
    "PAGE_SIZE": 50,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Omni",
    "DESCRIPTION": "Event fabric and action engine for messaging.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": r"/api/v1/",
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums",
                             "omni.openapi.add_problems"],
}

CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

# Retry must exceed timeout plus queue wait; workflows never depend on q2's own retries: runs are
# rows with leases (docs/operations.md).
Q_CLUSTER = {
    "name": "omni",
    "workers": OMNI_WORKERS + 1,  # one stays free for schedules and other ordinary tasks
    "timeout": 280,
    "retry": 600,
    "max_attempts": 3,
    "queue_limit": OMNI_WORKERS + 1,
    "bulk": 1,
    "save_limit": -1,
    "catch_up": False,
    "recycle": 500,
    "broker_class": "registry.engine.work.broker.FabricBroker",
    "label": "Background tasks",
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "omni.logs.LineFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "omni": {"level": env.str("OMNI_LOG_LEVEL", "INFO")},
        "django-q": {"level": "WARNING"},
        "httpcore2": {"level": "WARNING"},  # below that they tell addresses and headers
        "httpx2": {"level": "WARNING"},
    },
}

UNFOLD = {
    "SITE_TITLE": "Omni",
    "SITE_HEADER": "Omni",
    "SITE_SYMBOL": "hub",
    "SITE_URL": "/live/",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "8px",
    "COLORS": {"primary": {
        "50": "oklch(97.7% .013 236.6)", "100": "oklch(95.1% .026 236.8)",
        "200": "oklch(90.1% .058 230.9)", "300": "oklch(82.8% .111 230.3)",
        "400": "oklch(74.6% .16 232.7)", "500": "oklch(60.5% .145 240.5)",
        "600": "oklch(52.5% .134 243.2)", "700": "oklch(46.2% .12 244.1)",
        "800": "oklch(40.5% .1 244.1)", "900": "oklch(36.1% .085 244.4)",
        "950": "oklch(26.5% .062 245.3)"}},
    "STYLES": [lambda request: f"{STATIC_URL}omni/admin/omni.css"],
    "SCRIPTS": [lambda request: f"{STATIC_URL}omni/admin/omni.js"],
    "DASHBOARD_CALLBACK": "registry.admin.dashboard.dashboard",
    "SIDEBAR": {
        "show_search": True,
        "show_all_applications": False,
        "navigation": "registry.admin.dashboard.navigation",
    },
}
