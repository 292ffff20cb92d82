"""Speech to text, by the speech model that is set up."""

import mimetypes

from pydantic import Field

from actions import ask, files
from actions.base import Context, Outcome, Output, Params, action, done
from actions.refusals import outcome_of
from events.models import Attachment, Event
from omni.errors import OmniError

_ENDINGS = {"audio/ogg": ".ogg", "audio/opus": ".ogg", "audio/mpeg": ".mp3", "audio/mp4": ".m4a",
            "audio/x-m4a": ".m4a", "audio/wav": ".wav", "audio/x-wav": ".wav",
            "audio/webm": ".webm", "audio/flac": ".flac"}


class SttParams(Params):
    media: files.Media = Field(description="The recording: event.media.")
    language: str = Field("", pattern=r"^([a-z]{2,3})?$", description="Two letters of the spoken "
                          "language (ISO 639), when it is known.")


class SttOutput(Output):
    text: str = Field("", description="What was said; empty when nothing was.")
    language: str = Field("", description="The language, as the model names it or as it was given.")
    duration_s: float | None = Field(None, description="Seconds, when the model or the message "
                                     "says.")


@action("transform.stt.forwarded", params=SttParams, output=SttOutput, effects="read",
        timeout=180.0)
def forwarded(event: Event, params: SttParams, context: Context) -> Outcome:
    """Write down what is said in a forwarded recording; others are skipped."""
    return _transcribed(params, context, is_forwarded=True)


@action("transform.stt.direct", params=SttParams, output=SttOutput, effects="read",
        timeout=180.0)
def direct(event: Event, params: SttParams, context: Context) -> Outcome:
    """Write down what is said in a recording made for us; forwarded ones are skipped.

    In the account's chat with itself a forwarded recording counts too: that is how people hand
    one over there.
    """
    return _transcribed(params, context, is_forwarded=False)


def _transcribed(params: SttParams, context: Context, *, is_forwarded: bool) -> Outcome:
    try:
        recording = files.find(params.media, instance=context.instance)
        reason, code = _unfit(recording, is_forwarded)
        if reason:
            return Outcome("skipped", SttOutput().model_dump(), reason, code)
        file = files.read(recording)
        mime = files.bare_type(recording) or "application/octet-stream"
        said = ask.transcribe(file.data, filename=f"audio{_ending(mime)}", mime=mime,
                              language=params.language, timeout=context.remaining())
    except OmniError as exc:
        return outcome_of(exc)
    length = recording.duration_ms
    return done(text=said.text, language=said.language or params.language,
                duration_s=said.duration_s if said.duration_s is not None
                else length / 1000 if length is not None else None)


def _unfit(recording: Attachment, is_forwarded: bool) -> tuple[str, str]:
    """Why this recording is not for this action, and the code; empty when it is."""
    if recording.kind != "audio" and not files.bare_type(recording).startswith("audio/"):
        return f"the file is no recording: {recording.kind}", "not_audio"
    event = recording.event
    if is_forwarded and not event.is_forwarded:
        return "the recording was not forwarded; use transform.stt.direct", "not_forwarded"
    at_home = event.conversation is not None and event.conversation.kind == "self"
    if not is_forwarded and event.is_forwarded and not at_home:
        return "the recording was forwarded; use transform.stt.forwarded", "forwarded"
    return "", ""


def _ending(mime: str) -> str:
    """Servers tell the format by the name of the file; the sender's name is not passed on."""
    return _ENDINGS.get(mime) or mimetypes.guess_extension(mime) or ".ogg"
