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
    ("how many lines does notes.txt have?", "1\tfirst\n2\tsecond\n(37 lines)", "notes.txt has 37 lines."),
    (
        "list the files in lib",
        "/work/lib (1 directory, 2 files)\nmodels/\napp.py\nutil.py",
        "lib holds models/, app.py and util.py.",
    ),
    ("what is the name in setup.cfg?", "1\t[metadata]\n2\tname = abc\n3\tversion = 1.4\n(3 lines)", "The name is abc."),
    (
        "which classes does app.py define?",
        "1\timport os\n2\tclass Alpha:\n3\t    x = 1\n(3 lines)",
        "app.py defines the class Alpha.",
    ),
    (
        "where is parse_date defined?",
        "lib/dates.py:4: def parse_date(text):",
        "parse_date is defined in lib/dates.py on line 4.",
    ),
    ("is caching on in settings.yaml?", "1\tcaching: false\n(1 line)", "No, caching is false."),
)
"""A request, what a tool gave for it, and the answer in a sentence."""
