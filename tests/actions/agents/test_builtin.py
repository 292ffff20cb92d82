import pytest

from actions.agents.builtin import intent_of, language_of, reply_to
from actions.agents.builtin_texts import LANGUAGES, LISTENING, SAYING


@pytest.mark.parametrize(("text", "language"), [
    ("hello, how are you?", "en"), ("Olá, você pode me ajudar?", "pt"),
    ("¿Hola, puedes ayudar?", "es"), ("bom dia", "pt"), ("buenos días", "es"), ("12345", "en"),
    ("", "en")])
def test_language_is_told_by_its_words(text, language):
    assert language_of(text) == language


@pytest.mark.parametrize(("text", "intent"), [
    ("Hi!", "greeting"), ("OLÁ", "greeting"), ("what's the time?", "time"),
    ("Que horas são?", "time"), ("¿Qué hora es?", "time"), ("help", "help"),
    ("Quem é você?", "about"), ("What is Omni?", "about"), ("muchas gracias", "thanks"),
    ("tchau", "bye"), ("this", ""), ("chips", "")])
def test_intent_is_told_by_whole_words(text, intent):
    assert intent_of(text) == intent


def test_greeting_calls_the_person_by_name(say):
    assert reply_to("Oi", say("Oi")).startswith("Olá, Ana!")


def test_time_is_when_the_message_arrived(say):
    event = say("what time is it?")

    assert f"{event.received_at:%H:%M} UTC" in reply_to(event.text, event)


@pytest.mark.parametrize("text", ["echo two words", "Repita: two words", "say  two words"])
def test_echo_repeats_the_text(say, text):
    assert reply_to(text, say(text)) == "two words"


def test_file_without_words_is_named_in_general(say):
    event = say(None, event_type="message.image", media_kind="image")

    assert "an image" in reply_to("[Image]", event)


def test_transcript_of_a_file_is_answered_as_words(say):
    event = say(None, event_type="message.audio", media_kind="audio")

    assert reply_to("bom dia", event).startswith("Olá")


def test_what_it_cannot_answer_it_says_so(say):
    said = reply_to("will it rain tomorrow in Lisbon", say())

    assert "6 words" in said and "no answer" in said


def test_same_text_gets_the_same_answer(say):
    event = say("will it rain?")

    assert reply_to(event.text, event) == reply_to(event.text, event)


def test_every_language_says_the_same_things():
    assert {frozenset(SAYING[language]) for language in LANGUAGES} == {frozenset(SAYING["en"])}
    assert set(LISTENING) <= set(SAYING["en"])
