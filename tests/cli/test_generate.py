"""`llmzip generate`: the same text for a seed, on its way or in a file."""

from __future__ import annotations

import json
import os

import synthetic

from .conftest import Shell

LINE = b"the cat sat on the mat, and the dog lay on the rug; "


def test_a_prompt_goes_on(llmzip: Shell) -> None:
    llmzip.write("cats.txt", LINE * 60)
    command = ["generate", "-3", "--prime", "cats.txt", "--length", "104", "the", "cat"]
    cold = llmzip(*command, "--temperature", "0").stdout
    assert cold == (LINE * 3)[: 7 + 104]
    command += ["--temperature", "3"]
    warm = llmzip(*command, "--seed", "5").stdout
    assert warm.startswith(b"the cat") and len(warm) == 7 + 104
    assert llmzip(*command, "--seed", "5").stdout == warm
    assert llmzip(*command, "--seed", "6").stdout != warm
    assert llmzip(*command[:6], *command[8:], "--seed", "5", stdin=b"the cat").stdout == warm
    told = json.loads(llmzip(*command, "--seed", "5", "--json").stdout)
    assert os.fsencode(told["prompt"] + told["text"]) == warm and told["seed"] == 5
    llmzip(*command, "--seed", "5", "-o", "out.txt")
    assert (llmzip.folder / "out.txt").read_bytes() == warm
    assert "-f overwrites" in llmzip.fails(*command, "-o", "out.txt")


def test_a_language_model_goes_on(llmzip: Shell) -> None:
    llmzip.write("tiny.lzpack", synthetic.pack(llmzip.folder / "tiny.gguf"))
    command = ["generate", "-m", "tiny.lzpack", "the model", "--length", "40"]
    said = llmzip(*command).stdout
    assert said.startswith(b"the model") and len(said) == 9 + 40
    assert llmzip(*command, "-T1").stdout == said


def test_what_makes_no_sense_is_refused(llmzip: Shell) -> None:
    assert "level 2" in llmzip.fails("generate", "-2", "x", code=2)
    for option, value in (("--temperature", "hot"), ("--seed", "-1"), ("--length", "x")):
        assert value in llmzip.fails("generate", option, value, "x", code=2)
    assert "none.txt" in llmzip.fails("generate", "--prime", "none.txt", "x")
    assert "no such model" in llmzip.fails("generate", "-m", "no such model", "x", code=3)
    assert llmzip.names() == []
