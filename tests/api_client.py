"""A client of the REST API with a key."""

from typing import Any

from rest_framework.test import APIClient

from tests.factories import make_key


def client_of(*scopes: str, instances: list[Any] | None = None) -> APIClient:
    """A client whose key has these scopes; none means all of them."""
    key = make_key(scopes=list(scopes) or None, instances=instances)
    return APIClient(headers={"x-api-key": key})


def put_json(client: APIClient, path: str, body: Any, **headers: str) -> Any:
    return client.put(path, body, format="json", headers=headers)


def post_json(client: APIClient, path: str, body: Any = None, **headers: str) -> Any:
    return client.post(path, {} if body is None else body, format="json", headers=headers)
