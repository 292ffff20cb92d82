from actions.guards.mention_gate import MentionGateParams, mention_gate


def test_direct_chat_passes(say, context):
    assert mention_gate(say(), MentionGateParams(), context).output == {"mention": "direct"}


def test_group_without_mention_stops(say, context, group):
    event = say(conversation=group)

    assert mention_gate(event, MentionGateParams(), context).status == "stopped"


def test_mention_in_a_group_passes(say, context, group):
    event = say(conversation=group, mentions_self=True)

    assert mention_gate(event, MentionGateParams(), context).output == {"mention": "mention"}


def test_name_in_the_text_passes(say, context, group):
    event = say("ask OMNI about it", conversation=group)

    assert mention_gate(event, MentionGateParams(names=["omni"]), context).status == "done"


def test_reply_to_our_message_passes_and_to_another_stops(say, context, group):
    say(conversation=group, from_me=True, provider_message_id="ours")
    say(conversation=group, provider_message_id="theirs")

    statuses = [mention_gate(say(conversation=group, relation="replies_to",
                                 target_message_id=target), MentionGateParams(), context).status
                for target in ("ours", "theirs")]

    assert statuses == ["done", "stopped"]


def test_replies_count_only_when_wanted(say, context, group):
    say(conversation=group, from_me=True, provider_message_id="ours")
    event = say(conversation=group, relation="replies_to", target_message_id="ours")

    assert mention_gate(event, MentionGateParams(replies=False), context).status == "stopped"
