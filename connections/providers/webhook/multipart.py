"""Reads `multipart/form-data` strictly; files are described, their bytes stay in the archive.

Source: RFC 7578, RFC 2046 section 5.1.
"""

import re
from email.message import Message
from email.parser import HeaderParser

from connections.charsets import declared, decode
from connections.payload import (
    MAX_FORM_FIELDS,
    Parsed,
    Unparsable,
    charset_field,
    decoded,
    fields,
    sanitize_text,
)

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")


def parse(body: bytes, content_type: str) -> Parsed:
    """Fields as `fields` gives them, and files under `files`: [{name, filename, mime, size_bytes}].

    A part is read in the charset of its own header, else in the one the field `_charset_` names,
    else in the form's; without any it is UTF-8.
    Raises Unparsable `bad_form` when the boundary is missing or the body was cut off.
    """
    parts = _parts(body, _boundary(content_type))
    outer = declared(content_type)
    texts: list[tuple[bytes, bytes]] = []
    charsets_of: list[str] = []
    files: list[dict[str, object]] = []
    flags: set[str] = set()
    for part in parts:
        head, _, content = part.partition(b"\r\n\r\n")
        # Browsers write names and file names in the form's charset.
        written, odd = decode(head.lstrip(b"\r\n"), outer or "utf-8")
        flags |= odd
        headers = HeaderParser().parsestr(written + "\r\n\r\n")
        name, filename = _names(headers)
        if filename is None:
            texts.append((name.encode("utf-8", "replace"), content))
            charsets_of.append(declared(str(headers.get("content-type", ""))))
        else:
            files.append({"name": sanitize_text(name), "filename": sanitize_text(filename),
                          "mime": headers.get_content_type(), "size_bytes": len(content)})
    usual = charset_field(texts) or outer
    pairs: list[tuple[str, str]] = []
    for (key, content), charset in zip(texts, charsets_of, strict=True):
        [value], odd = decoded([content], charset or usual)
        pairs.append((key.decode(), value))
        flags |= odd
    found = fields(pairs)
    value = {**found.value, "files": files} if files else found.value
    return Parsed(value, found.flags | flags)


def _names(headers: Message) -> tuple[str, str | None]:
    """The part's name and its file name, which may be in a charset of its own (RFC 5987)."""
    try:
        name = headers.get_param("name", header="content-disposition")
        filename = (headers.get_param("filename", header="content-disposition")
                    or headers.get_param("name", header="content-type"))
    except ValueError as exc:  # a name in numbered pieces, with an endless number
        raise Unparsable("bad_form", "a name in the form cannot be read") from exc
    if not isinstance(name, str):
        raise Unparsable("bad_form", "a part of the form has no name")
    if isinstance(filename, tuple):
        charset, _, text = filename
        return name, decode(text.encode("raw-unicode-escape"), charset or "utf-8")[0].strip()
    return name, filename and filename.strip()


def _boundary(content_type: str) -> bytes:
    message = Message()
    message["content-type"] = content_type.replace("\r", " ").replace("\n", " ")
    boundary = message.get_param("boundary")
    if not isinstance(boundary, str) or not _BOUNDARY.fullmatch(boundary):
        raise Unparsable("bad_form", "the form's content type has no usable boundary")
    return b"--" + boundary.encode("ascii")


def _parts(body: bytes, boundary: bytes) -> list[bytes]:
    pieces = (b"\r\n" + body).split(b"\r\n" + boundary, MAX_FORM_FIELDS + 2)
    if len(pieces) > MAX_FORM_FIELDS + 2:
        raise Unparsable("too_many_nodes", f"a form has at most {MAX_FORM_FIELDS} fields")
    if len(pieces) < 3 or not pieces[-1].startswith(b"--"):
        raise Unparsable("bad_form", "the form has no end; it was cut off")
    return pieces[1:-1]
