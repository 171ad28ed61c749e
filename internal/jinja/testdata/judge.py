"""judge.py FOLDER: renders the templates *.jinja of a folder for some conversations, as
transformers does, and writes the texts and errors to FOLDER/judged.json, for the tests of
package jinja. The lines of FOLDER/../errors.txt, if it is there, are templates that fail.

    python3 judge.py templates
    python3 judge.py ../models/templates && BITMOD_TEMPLATES=../models/templates go test -run Published -v .

It needs the PyPI packages transformers and jinja2. Templates of published models are in
the source package of llama-cpp-python, in vendor/llama.cpp/models/templates.
"""

import datetime
import json
import os
import sys

from transformers.utils import chat_template_utils

NOW = datetime.datetime(2026, 3, 5, 7, 8, 9)


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


chat_template_utils.datetime = Clock

TOOLS = [{"type": "function", "function": {
    "name": "get_weather", "description": 'Weather at a "place".',
    "parameters": {"type": "object", "properties": {
        "city": {"type": "string", "description": "Name"}, "days": {"type": "integer", "enum": [1, 2]}}, "required": ["city"]}}}]


def said(*contents):
    roles = ["user", "assistant"]
    return [{"role": roles[i % 2], "content": c} for i, c in enumerate(contents)]


CALL = [
    {"role": "user", "content": "Weather?"},
    {"role": "assistant", "content": "", "tool_calls": [
        {"id": "abcdefghi", "type": "function", "function": {"name": "get_weather", "arguments": {"city": "Paris", "days": 1}}}]},
    {"role": "tool", "tool_call_id": "abcdefghi", "name": "get_weather", "content": "sunny"},
    {"role": "user", "content": "thanks"},
]
CONVERSATIONS = {
    "user": {"messages": said("Hello, who are you?")},
    "system": {"messages": [{"role": "system", "content": "Be brief."}] + said("  Two\nlines <b>&\t'\"é🙂 ")},
    "turns": {"messages": said("Hi", "Hello!", "1+1?", "2", "ok")},
    "think": {"messages": [{"role": "system", "content": "S"}] + said("Q", "<think>\nhmm\n</think>\n\nA", "R")},
    "open": {"messages": said("Hi", "Hello!"), "add_generation_prompt": False},
    "tools": {"messages": said("Weather?"), "tools": TOOLS},
    "call": {"messages": CALL, "tools": TOOLS},
    "nothink": {"messages": said("Q"), "enable_thinking": False},
    "empty": {"messages": []},
    "parts": {"messages": said([{"type": "text", "text": "part"}])},
}


def render(template, conversation):
    variables = {"add_generation_prompt": True, "bos_token": "<s>", "eos_token": "</s>"} | conversation
    messages = variables.pop("messages")
    try:
        texts, _ = chat_template_utils.render_jinja_template([messages], chat_template=template, **variables)
        return {"want": texts[0]}
    except Exception as e:  # what a template raises may be anything
        return {"error": f"{type(e).__name__}: {e}"}


def main(folder):
    templates = []
    for name in sorted(os.listdir(folder)):
        if name.endswith(".jinja"):
            with open(os.path.join(folder, name)) as f:
                text = f.read()
            templates.append({"name": name, "cases": {k: render(text, c) for k, c in CONVERSATIONS.items()}})
    errors = {}
    path = os.path.join(folder, "..", "errors.txt")
    if os.path.exists(path):
        with open(path) as f:
            for line in f.read().splitlines():
                errors[line] = render(line, CONVERSATIONS["user"])["error"]
    judged = {"now": str(NOW), "conversations": CONVERSATIONS, "templates": templates, "errors": errors}
    with open(os.path.join(folder, "judged.json"), "w") as f:
        json.dump(judged, f, ensure_ascii=False, indent=1)
        f.write("\n")
    cases = [c for t in templates for c in t["cases"].values()]
    print(f"{len(templates)} templates, {len(cases)} cases, {sum('error' in c for c in cases)} errors; {len(errors)} that fail")


main(sys.argv[1])
