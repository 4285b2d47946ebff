"""How people say that they are about to do something, and how they say that they are not."""

from __future__ import annotations

import re

from attrs import frozen


@frozen(kw_only=True)
class Language:
    """Words of one language.

    Attributes:
        intent: what stands before the name of a tool that is about to be called.
        against: words that make it no intent, wherever in the sentence they stand.
        link: what must stand right before the name; None for anything.
    """

    intent: re.Pattern[str]
    against: re.Pattern[str]
    link: re.Pattern[str] | None = None


def _words(text: str, opening: str = "") -> re.Pattern[str]:
    """One of these, as whole words; `opening` counts only as the beginning of a sentence."""
    words = rf"\b(?:{'|'.join(' '.join(each.split()) for each in text.split(';'))})(?!\w)"
    return re.compile(rf"{words}|\A\W*{_INTERJECTION}(?:{opening})(?!\w)" if opening else words, re.IGNORECASE)


_INTERJECTION = r"(?:(?:okay|ok|sure|great|good|right|all right|alright|yes|perfect|now|next|first|so)[,:]?\s+){0,2}"
ENGLISH = Language(
    intent=_words(
        r"""i'?ll; i will; i(?:'?m| am) (?:now )?(?:going to|about to|calling|using|running|invoking|executing); let me;
        let'?s; let us; i (?:now |first |also )?(?:need|have|want) to; i (?:should|must)(?: now| first)?; we'?ll;
        we will; we (?:now |first )?(?:need|have) to; (?<=now )(?:calling|using|invoking|running|executing)""",
        opening="calling|using|invoking|running|executing",
    ),
    against=_words(
        r"""would; could; might; can'?t; cannot; won'?t; will not; don'?t; doesn'?t; didn'?t; do not; did not; never;
        unable; unless; permission; approval; approve; confirm(?:ation|ed|s)?;
        you (?:can|could|may|should|might|want|would|need|must|have|like|allow|agree); (?:if|once|when|after|until) you;
        before (?:i can|using|calling|running); wait(?:ing)?; (?:if|once|when|until) i (?:know|have|get);
        if (?:needed|necessary|required|possible|so|not|i were); for example; for instance; e\.g\.; hypothetical\w*;
        in theory; instead of; rather than; avoid\w*; without (?:using|calling|running);
        not (?:use|using|call|calling|run|running); (?:me|ll|will|going to)(?: \w+ly| first| now)?
        (?:explain|describe|show you|tell you|teach you|demonstrate|discuss|document|rename|refactor|implement)\w*;
        whenever; always; every(?:thing| time)?; as soon as; from now on; a lot; often; usually"""
    ),
    link=re.compile(
        r"\b(?:us(?:e|ing)|call(?:ing)?|invok(?:e|ing)|run(?:ning)?|execut(?:e|ing)|try(?:ing)?|with|via|through|by|"
        r"mak(?:e|ing)|issu(?:e|ing)|perform(?:ing)?|to)\s+"
        r"(?:(?:a|an|the|my|our|this|that|another|one|quick|new|available|tool|tool's|function|built-in|builtin|call|"
        r"named|called|to|of|on)\s+){0,5}[`'\"*_]*\Z",
        re.IGNORECASE,
    ),
)
OTHERS = (
    Language(  # German
        intent=_words(
            """ich (?:werde|rufe|verwende|benutze|nutze|führe|starte|muss); lass(?:en Sie)? mich;
            jetzt (?:rufe|verwende|nutze) ich"""
        ),
        against=_words(
            r"""würde; könnte\w*; kann; nicht; kein\w*; wenn (?:Sie|du); sobald; immer; zum Beispiel; z\. ?B\.;
            erkläre\w*; habe"""
        ),
    ),
    Language(  # French
        intent=_words("je vais; j'utilise; j'appelle; je lance; laissez-moi; laisse-moi; je dois"),
        against=_words(
            r"pourrai\w*; peux; peut; ne; n'\w+; pas; si (?:vous|tu); toujours; par exemple; expliquer; décrire"
        ),
    ),
    Language(  # Spanish
        intent=_words("voy a; déjame; permíteme; vamos a; usaré; utilizaré; llamaré; ejecutaré; necesito"),
        against=_words(r"no; podría\w*; puedo; puedes; si quieres; siempre; por ejemplo; explicar\w*; describir"),
    ),
    Language(  # Portuguese
        intent=_words("vou; deixe-me; deixa eu; usarei; utilizarei; preciso"),
        against=_words("não; poderia; posso; pode; se quiser; sempre; por exemplo; explicar; descrever"),
    ),
    Language(  # Italian
        intent=_words("userò; utilizzerò; chiamerò; eseguirò; fammi; lasciami; devo; sto per"),
        against=_words("non; potrei; posso; puoi; se vuoi; sempre; ad esempio; spiegare; descrivere"),
    ),
    Language(  # Russian
        intent=_words(
            """я (?:сейчас )?(?:использую|вызову|вызываю|воспользуюсь|запущу|запускаю);
            сейчас (?:я )?(?:использую|вызову|запущу)"""
        ),
        against=_words("не; бы; могу; можно; можете; если; всегда; например"),
    ),
    Language(  # Chinese
        intent=re.compile(r"我(?:现在|接下来|先)?(?:将|会|来|要|需要|用|使用|调用)|让我|接下来"),
        against=re.compile(r"可以|不|如果|例如|比如|是否|吗|解释|介绍|已经|总是"),
    ),
)
LANGUAGES = (ENGLISH, *OTHERS)
OVERTAKEN = _words(
    """done; here (?:is|are) the (?:results?|output|contents?|files?); it (?:shows|says|returned|contains);
    the (?:results?|output|file|command|tool|search) (?:is|are|was|were|shows?|contains?|says?|returned|gave)"""
)
"""What is said after a call, not before it."""
LATER = _words(
    "then; after(?:wards?)?; once; later; finally; subsequently; dann; danach; ensuite; puis; luego; depois; poi"
)
"""What waits for the result of another call."""
