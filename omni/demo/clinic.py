"""A day of Harbour Clinic's web chat. Invented visitors. Data."""

from omni.demo.script import line

CAST = {"ana": "Ana", "sam": "Sam Okoye", "guest": ""}

DAY = [
    line("08:00:40", "ana", "typing", state="typing"),
    line("08:01:10", "ana", "message", ref="ana-1",
         text="Hello, can I move my appointment of Thursday?"),
    line("08:03:10", "ana", "typing", state="typing"),
    line("08:03:50", "ana", "message", ref="ana-2", text="It is with Dr. Silva at 9:30"),
    line("08:18:00", "guest", "message", ref="guest-1", text="opening hours?"),
    line("08:40:00", "sam", "message", ref="sam-1", text="Good morning, I need my lab results"),
    line("08:42:00", "sam", "file", ref="sam-2", name="referral.png", colour=(90, 140, 200),
         text="Here is the referral"),
    line("08:58:00", "ana", "message", ref="ana-3", answers="ana-2",
         text="Friday morning would be best"),
    line("09:25:00", "guest", "message", ref="guest-2", text="ok thanks"),
    line("09:50:00", "sam", "typing", state="recording"),
    line("09:51:00", "sam", "message", ref="sam-3", text="Can you tell me what time you close?"),
    line("10:30:00", "ana", "read", about="ana-3"),
    line("11:10:00", "guest", "message", ref="guest-3", text="I lost my insurance card, help"),
    line("11:11:00", "guest", "message", ref="guest-4", text="is a photo of it enough?"),
    line("12:15:00", "sam", "message", ref="sam-4", text="who are you, by the way?"),
    line("13:20:00", "ana", "message", ref="ana-4", text="Thank you, see you on Friday!"),
    line("13:20:01", "ana", "again", about="ana-4"),
    line("14:05:00", "guest", "unknown", ref="guest-5", type="survey",
         answer={"stars": 4, "text": "quick answers"}),
    line("15:00:00", "sam", "message", ref="sam-5", text="Results received, thank you"),
    line("15:45:00", "guest", "typing", state="paused"),
    line("16:50:00", "guest", "message", ref="guest-6", text="Are you open on Saturday?"),
    line("17:00:00", "sam", "message", ref="sam-6", text="bye"),
]
