"""A language model as an agent: OpenAI's chat completions, at any address that speaks them."""

from actions import ask
from actions.agents.history import messages_before
from actions.agents.question import Answer, Question

_OPTIONS = ("temperature", "max_tokens", "max_completion_tokens", "top_p", "seed")


def answer(question: Question) -> Answer:
    """Settings: model, instructions (the system prompt), and the usual options by name.

    Without base_url, model or credentials.api_key of its own the agent uses OMNI_LLM_*.
    """
    settings = question.agent.settings
    messages = messages_before(question.event, limit=question.history)
    if question.memories:
        messages.insert(0, {"role": "system", "content": question.notes()})
    if settings.get("instructions"):
        messages.insert(0, {"role": "system", "content": str(settings["instructions"])})
    messages.append({"role": "user", "content": question.text})
    reply = ask.chat(
        messages, base_url=question.agent.base_url, model=str(settings.get("model") or ""),
        api_key=question.key(), timeout=question.timeout,
        options={name: settings[name] for name in _OPTIONS if name in settings})
    return Answer(text=reply.text, usage=reply.usage)
