"""What a batch guesses about names, and what it leaves to what is sure."""

from events.people import guesses
from tests.factories import make_draft

ANA, BOB, LID = "ana", "bob", "lid"


def guess(ref=ANA):
    return make_draft(conversation_ref=ref, conversation_guesses=[LID])


def test_guess_names_the_place_and_the_other_address():
    draft = guess()

    assert guesses.among([(1, draft)], [([(1, ANA)], draft)]) == [([(1, ANA), (1, LID)], draft)]


def test_guess_gives_way_to_what_the_batch_names_with_another():
    draft, sure = guess(), make_draft(conversation_ref=LID, conversation_aliases=[BOB])

    assert guesses.among([(1, draft), (1, sure)], [
        ([(1, ANA)], draft), ([(1, LID), (1, BOB)], sure)]) == []


def test_name_of_another_account_is_another_name():
    draft, sure = guess(), make_draft(conversation_ref=LID, conversation_aliases=[BOB])

    assert guesses.among([(1, draft)], [([(2, LID), (2, BOB)], sure)])
