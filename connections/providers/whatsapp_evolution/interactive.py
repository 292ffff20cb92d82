"""Buttons, lists, forms and templates: the questions, and the answers people give to them."""

import json
from typing import Any

from connections.providers.whatsapp_evolution.body import Body
from connections.providers.whatsapp_evolution.scalars import (
    as_dict,
    as_list,
    as_text,
    without_blanks,
)

# Name of a native flow answer -> neutral kind; a name that is not here is a form.
NATIVE_FLOWS = {"quick_reply": "interaction.button", "single_select": "interaction.select",
                "menu_options": "interaction.select"}
# Cloud accounts report answers as plain text under these message types.
CLOUD_ANSWERS = {"buttonMessage": "interaction.button", "interactiveMessage": "interaction.button"}
_PARAMS_LENGTH = 10_000


def read_buttons(body: Body) -> dict[str, Any]:
    node = body.fields
    options = [{"id": as_text(button.get("buttonId")),
                "title": as_text(as_dict(button.get("buttonText")).get("displayText"))}
               for button in map(as_dict, as_list(node.get("buttons")))]
    return _question("buttons", as_text(node.get("contentText")), options,
                     footer=as_text(node.get("footerText")))


def read_list(body: Body) -> dict[str, Any]:
    node = body.fields
    options = [{"id": as_text(row.get("rowId")), "title": as_text(row.get("title")),
                "description": as_text(row.get("description"))}
               for section in map(as_dict, as_list(node.get("sections")))
               for row in map(as_dict, as_list(section.get("rows")))]
    return _question("list", as_text(node.get("description")) or as_text(node.get("title")),
                     options, title=as_text(node.get("title")),
                     button=as_text(node.get("buttonText")),
                     footer=as_text(node.get("footerText")))


def read_template(body: Body) -> dict[str, Any]:
    node = body.fields
    form = as_dict(node.get("hydratedFourRowTemplate")) or as_dict(node.get("hydratedTemplate"))
    options = []
    for button in map(as_dict, as_list(form.get("hydratedButtons"))):
        choice = next((as_dict(value) for value in button.values() if isinstance(value, dict)), {})
        options.append({"id": as_text(choice.get("id")), "title": as_text(choice.get(
            "displayText")), "url": as_text(choice.get("url"))})
    return _question("template", as_text(form.get("hydratedContentText")), options,
                     template=as_text(form.get("templateId")) or as_text(node.get("templateId")))


def read_card(body: Body) -> dict[str, Any]:
    """A native-flow card: payment, order status, quick replies, carousel."""
    node = body.fields
    flow = as_dict(node.get("nativeFlowMessage"))
    options = [{"id": as_text(button.get("name"))}
               for button in map(as_dict, as_list(flow.get("buttons")))]
    header = as_dict(node.get("header"))
    return _question("card", as_text(as_dict(node.get("body")).get("text"))
                     or as_text(header.get("title")), options, title=as_text(header.get("title")),
                     footer=as_text(as_dict(node.get("footer")).get("text")))


def _question(form: str, text: str, options: list[dict[str, Any]], **more: str) -> dict[str, Any]:
    interactive = {"form": form, "options": [without_blanks(option) for option in options], **more}
    return {"event_type": "message.interactive", "text": text or None,
            "content": {"interactive": without_blanks(interactive)}}


def read_button_answer(body: Body) -> dict[str, Any]:
    node = body.fields
    return _answer("interaction.button",
                   choice=as_text(node.get("selectedButtonId")) or as_text(node.get("selectedId")),
                   title=as_text(node.get("selectedDisplayText")))


def read_list_answer(body: Body) -> dict[str, Any]:
    node = body.fields
    reply = as_dict(node.get("singleSelectReply"))
    return _answer("interaction.select", choice=as_text(reply.get("selectedRowId")),
                   title=as_text(node.get("title")) or as_text(node.get("description")),
                   description=as_text(node.get("description")))


def read_flow_answer(body: Body) -> dict[str, Any]:
    """An answer to a card. Parameters arrive as JSON text inside the JSON."""
    node = body.fields
    flow = as_dict(node.get("nativeFlowResponseMessage"))
    params = _params(as_text(flow.get("paramsJson")))
    kind = NATIVE_FLOWS.get(as_text(flow.get("name")), "interaction.form")
    return _answer(kind, choice=as_text(params.get("id")), form=as_text(flow.get("name")),
                   title=as_text(as_dict(node.get("body")).get("text")),
                   values=params if kind == "interaction.form" else None)


def _params(text: str) -> dict[str, Any]:
    if not text or len(text) > _PARAMS_LENGTH:
        return {}
    try:
        return as_dict(json.loads(text, parse_constant=lambda _: None))
    except (ValueError, RecursionError):
        return {}


def _answer(kind: str, *, choice: str, title: str, **more: Any) -> dict[str, Any]:
    return {"event_type": kind, "text": title or choice or None, "relation": "answers",
            "content": without_blanks({"id": choice, "title": title, **more})}
