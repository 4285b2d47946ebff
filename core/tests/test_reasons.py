"""Stories about the reasons for which providers cannot be used."""

from __future__ import annotations

from codetether.credentials import told_once

SEALED = "vault: https://vault.example:8200 is sealed (whoever runs it unseals it; then try again)"


def test_long_words_that_stand_in_several_reasons_are_told_once() -> None:
    reasons = [
        f"env: A_KEY not set; {SEALED}; file: has none",
        "",
        f"env: B_KEY not set; {SEALED}; file: has none",
        "file: " + "x" * 100,
    ]
    assert told_once(reasons) == (
        [
            "env: A_KEY not set; vault: see below; file: has none",
            "",
            "env: B_KEY not set; vault: see below; file: has none",
            "file: " + "x" * 100,
        ],
        [SEALED],
    )


def test_what_is_true_of_all_is_told_once() -> None:
    rest = "vault: VAULT_ADDR is not set; file: has none"
    reasons = [f"env: {name} not set; {rest}" for name in ("A_KEY", "B_KEY", "C_KEY")]
    assert told_once([*reasons, "env:D_KEY"]) == (
        ["env: A_KEY not set", "env: B_KEY not set", "env: C_KEY not set", "env:D_KEY"],
        [f"asked for all of them: {rest}"],
    )
