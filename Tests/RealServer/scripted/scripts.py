"""What the model says, by name, and how its chat template finds the name. All of it is data.

Names are asked for as `[[name]]` in what the user or a tool has said last. Scripts that call a tool are recited only when the request has
tools, else the greeting comes. Where thinking is switched off, a script is recited from behind its `</think>`.
"""

from __future__ import annotations

from pathlib import Path

GREETING = "greeting"
"""Said when nothing else is asked for."""
AFTER_RESULT = "after-result"
"""Said behind a tool's result that asks for nothing else."""
BRIEF = ":brief"
"""Behind the name of a script that thinks: the same one with thinking switched off."""
MARKUP = ("<think>", "</think>", "<tool_call>", "</tool_call>")
"""Single tokens, as in the vocabulary of Qwen3: servers look for them. Only the first one of each kind in a script."""
ENDLESS = "…"
"""At the end of a script: it begins again, for ever."""


def call(name: str, arguments: str) -> str:
    """A call in the form that the chat template teaches."""
    return f'<tool_call>\n{{"name": "{name}", "arguments": {arguments}}}\n</tool_call>'


SCRIPTS: dict[str, str] = {
    # Letters of one to four bytes and a combining mark: tokens end inside of them.
    GREETING: "Good morning from a scripted model. Grüße ✓ 漢字 🎉 e\u0301t voilà.",
    "thought": "<think>\nFirst I weigh the options, one by one.\n</think>\n\nThe answer is 42.",
    "thought-only": "<think>\nNothing leads anywhere, so I stop here.\n</think>",
    "call": call("get_weather", '{"city": "Zürich", "days": 3}'),
    "text-and-call": "Let me look that up for you.\n" + call("get_weather", '{"city": "Basel"}'),
    "thought-and-call": "<think>\nThe forecast will know.\n</think>\n\n" + call("get_weather", '{"city": "Chur"}'),
    "two-calls": call("get_weather", '{"city": "Bern"}') + "\n" + call("get_weather", '{"city": "Genève"}'),
    "call-without-arguments": call("ping", "{}"),
    "call-of-a-stranger": call("no_such_tool", '{"x": 1}'),
    "call-that-breaks-off": '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Luga',
    # A call in another family's form, which the server's parser of this template does not know.
    "foreign-call": "<function=get_weather>\n<parameter=city>\nThun\n</parameter>\n</function>",
    "bash": "I run it at once.\n" + call("Bash", '{"command": "echo six times seven is $((6*7))", "description": "Calculate"}'),
    "json": '{"answer": "yes", "count": 7}',
    "lines": "one\ntwo\nthree\nSTOP\nfour\nfive\n",
    "endless": "tick tock, and on and on it goes without an end;" + ENDLESS,
    AFTER_RESULT: "The tool has answered, and that is all I wanted to know.",
}


def recitations() -> dict[str, str]:
    """All scripts with the brief forms of those that think."""
    brief = {name + BRIEF: text.partition("</think>")[2].lstrip("\n") for name, text in SCRIPTS.items() if "</think>" in text}
    return SCRIPTS | brief


def chat_template() -> str:
    """The template with the names of the scripts put in."""
    text = Path(__file__).with_name("chat_template.jinja").read_text()
    calling = [name for name, script in SCRIPTS.items() if "<tool_call>" in script]
    thinking = [name for name, script in SCRIPTS.items() if "</think>" in script]
    for mark, names in {"NAMES": list(SCRIPTS), "CALLING": calling, "THINKING": thinking}.items():
        text = text.replace(f"@{mark}@", str(names))
    return text
