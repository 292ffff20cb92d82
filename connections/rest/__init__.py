"""What the REST views of every app share: who calls, and rows a caller may see.

Views and admin pages ask `authentication.principal`, views build on `views` and answer with
`missing`; sockets ask `wrong_keys` as well. The views of this app are in the room `api`.
"""
