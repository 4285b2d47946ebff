"""How requests that want no tool are answered, and how an output is put in a sentence."""

from __future__ import annotations

TALK = (
    ("hi", "Hello! What can I do for you?"),
    ("hello, how are you?", "I am fine, thank you. What can I do for you?"),
    ("say good morning to Tom", "Good morning, Tom!"),
    ("greet Maria", "Hello, Maria!"),
    ("wish my sister Eve good luck", "Good luck, Eve!"),
    ("congratulate Otto on his new job", "Congratulations on your new job, Otto!"),
    ("tell my friend Ivy good night", "Good night, Ivy!"),
    ("thanks, well done", "You are welcome!"),
    ("thank you very much", "You are welcome!"),
    ("goodbye", "Goodbye!"),
    ("who are you?", "I am a tiny model that runs on your own machine."),
    ("what can you do?", "I can list, read and search files, and run a few commands when you allow them."),
    ("tell me a joke", "Why do programmers like the dark? Because light attracts bugs."),
)
"""A request and its answer."""

OUTPUTS = (
    ("how many lines does notes.txt have?", "notes.txt: 37 lines", "notes.txt has 37 lines."),
    ("how many files are in lib?", "5 files, 2 directories", "There are 5 files in lib."),
    ("list the files in lib", "models/\napp.py\nutil.py", "The files are models/, app.py and util.py."),
    ("what is the name in setup.cfg?", "[metadata]\nname = abc\nversion = 1.4", "The name is abc."),
    ("what timeout is set in app.json?", '{"user": "ann", "timeout": 30, "log": true}', "The timeout is 30."),
    ("what does guide.md say about logging?", "# Guide\n## Logging\nSet LOG=1.", "It says: Set LOG=1."),
    ("which classes does app.py define?", "import os\nclass Alpha:\nclass Beta(Alpha):", "It defines Alpha and Beta."),
    ("where is parse_date defined?", "lib/dates.py:4: def parse_date(text):", "It is defined in lib/dates.py."),
    ("find FIXME in the code", "lib/app.py:9: # FIXME: close the file", "lib/app.py says: FIXME: close the file."),
    ("show names.csv", "name,age\nEva,31", "names.csv holds: name,age and Eva,31."),
    ("is caching on in settings.yaml?", "caching: false", "No, caching is false."),
    ("where am I?", "/home/ann/work", "You are in /home/ann/work."),
    ("run the tests", "7 passed in 0.4s", "All 7 tests passed."),
    ("which branch is this?", "On branch dev\nnothing to commit, working tree clean", "The branch is dev."),
    ("git status", "On branch dev\nnothing to commit, working tree clean", "There is nothing to commit on branch dev."),
)
"""A request, what a tool gave for it, and the answer in a sentence."""
