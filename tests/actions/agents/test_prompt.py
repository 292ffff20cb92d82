import pytest

from actions.agents import prompt
from tests.factories import make_event, make_instance


@pytest.mark.parametrize(("text", "media_kind", "said"), [
    ("hello ", None, "hello"), ("look", "image", "look"), (None, "image", "[Image]"),
    ("", "audio", "[Audio message: the agent will transcribe it]"), (None, None, "")])
def test_file_without_words_has_a_placeholder(say, text, media_kind, said):
    assert prompt.text_of(say(text, media_kind=media_kind)) == said


def test_name_stands_before_everything(say):
    event = say("yes", relation="replies_to", context={"quoted": {"text": "Coming?"}})

    dressed = prompt.dress("yes", event, name_prefix=True, quoted_header=True)

    assert dressed == '[Ana]: [Replying to: "Coming?"]\nyes'


def test_quoted_message_is_cut_at_200_characters(say):
    event = say("yes", relation="replies_to", context={"quoted": {"text": "x" * 300}})

    dressed = prompt.dress("yes", event, name_prefix=False, quoted_header=True)

    assert "x" * 200 + '"' in dressed


def test_quoted_message_is_found_in_the_store(say):
    event = say("yes", relation="replies_to", target_event=say("Coming?"))

    assert "Coming?" in prompt.dress("yes", event, name_prefix=False, quoted_header=True)


def test_message_that_is_no_reply_has_no_header(say):
    event = say("yes", context={"quoted": {"text": "Coming?"}})

    assert prompt.dress("yes", event, name_prefix=False, quoted_header=True) == "yes"


@pytest.mark.parametrize(("ref", "session"), [
    ("5511988887777@s.whatsapp.net", "shop_5511988887777"),
    ("120363041234567890@g.us", "shop_120363041234567890"),
    ("visitor", "shop_visitor")])
def test_session_is_the_instance_and_the_digits_of_the_chat(say, instance, ref, session):
    assert prompt.session_of(say(conversation_ref=ref), instance) == session


def test_session_names_the_instance_that_answers(say):
    assert prompt.session_of(say(), make_instance("other")) == "other_5511988887777"


def test_what_happened_nowhere_and_by_nobody_has_a_session_of_its_own(instance):
    events = [make_event(instance), make_event(instance)]

    assert len({prompt.session_of(event, instance) for event in events}) == 2
