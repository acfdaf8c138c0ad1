"""The command line's words: one table of options, the verbs that take them, and their help.

Nothing is done here: `parse` turns arguments into a `Job`, and `run` hands that to the command.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from llmzip.commands.job import Job
from llmzip.commands.report import Report
from llmzip.errors import UsageError
from llmzip.stdio import complain

PROGRAM = "llmzip"

_UNITS = {"": 0, "B": 0, "K": 10, "M": 20, "G": 30, "T": 40}


class _Size(click.ParamType[int]):
    """Bytes, with an optional K, M, G or T (binary: 1K is 1,024), as in `512M` or `2GiB`."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value).strip()
        digits = text.rstrip("KMGTBibkmgt")
        unit = text[len(digits) :].upper()
        if len(unit) > 1:
            unit = unit.removesuffix("IB").removesuffix("B")
        if not (digits.isascii() and digits.isdigit()) or unit not in _UNITS or not int(digits):
            self.fail(f"{text!r} is not a size; write for example 512M or 2G", param, ctx)
        return int(digits) << _UNITS[unit]


def _level(number: int) -> click.Option:
    names = [f"-{number}", "level"]
    if number == 1:
        names.insert(1, "--fast")
    if number == 9:
        names.insert(1, "--best")
    return click.Option(names, flag_value=number, type=int, hidden=True)


def _mode(letter: str, word: str, help: str) -> click.Option:
    return click.Option([f"-{letter}", f"--{word}", "mode"], flag_value=word, help=help)


def _flag(*names: str, help: str, **more: Any) -> click.Option:
    return click.Option(list(names), is_flag=True, help=help, **more)


_OPTIONS: dict[str, list[click.Option]] = {
    "mode": [
        _mode("z", "compress", "Compress; what happens without a mode."),
        _mode("d", "decompress", "Decompress FILE.llmz to FILE."),
        _mode("t", "test", "Test archives: decode everything, write nothing."),
        _mode("l", "list", "List what archives hold, without decoding them."),
    ],
    "stdout": [
        _flag("-c", "--stdout", help="Write to standard output."),
    ],
    "keep": [
        _flag("-k", "--keep", help="Keep the input files; they are kept anyway."),
        _flag("--rm", "remove", help="Remove each input once its output is verified and on disk."),
    ],
    "force": [
        _flag("-f", "--force", help="Overwrite outputs; take links; use a terminal for archives."),
    ],
    "output": [
        click.Option(["-o", "--output"], metavar="FILE", help="Write to FILE (one input only)."),
    ],
    "output_dir": [
        click.Option(["--output-dir"], metavar="DIR", help="Write the outputs into DIR."),
    ],
    "recursive": [
        _flag("-r", "--recursive", help="Take every file in folders; one archive for each."),
    ],
    "level": [_level(number) for number in range(1, 10)],
    "predictor": [
        click.Option(
            ["-p", "--predictor"],
            metavar="NAME",
            help="Use this predictor instead of choosing by content.",
        ),
    ],
    "verify": [
        _flag("--no-verify", help="Do not decode what was written to compare; half the time."),
    ],
    "threads": [
        click.Option(
            ["-T", "--threads"],
            type=click.IntRange(0, 4096),
            metavar="N",
            envvar="LLMZIP_THREADS",
            help="Use N threads; 0, the default, is all cores. Archives do not depend on it.",
        ),
    ],
    "memory": [
        click.Option(
            ["-M", "--memory"],
            type=_Size(),
            metavar="SIZE",
            help="Use at most SIZE of memory, as in 512M or 4G. Takes fewer threads if it must.",
        ),
    ],
    "quick": [
        _flag("--quick", help="With test: check the coded bytes only, decode nothing."),
    ],
    "say": [
        click.Option(["-q", "--quiet"], count=True, help="Say less; twice: no errors either."),
        click.Option(["-v", "--verbose"], count=True, help="Say more."),
        _flag("--no-progress", help="Show no progress bar."),
        _flag("--json", "as_json", help="Report on standard output, one JSON object a file."),
    ],
}

_CODING = ("stdout", "keep", "force", "output", "output_dir", "recursive")
_VERBS: dict[str, tuple[tuple[str, ...], str]] = {
    "compress": (
        (*_CODING, "level", "predictor", "verify", "threads", "memory", "say"),
        "Compress each FILE to FILE.llmz and keep FILE. What was written is decoded again and "
        "compared before it gets its name. -1 (fastest) to -9 (smallest) choose the level; -6 is "
        "the default.",
    ),
    "decompress": (
        (*_CODING, "threads", "memory", "say"),
        "Decompress each FILE.llmz to FILE and keep FILE.llmz. Nothing is kept of an archive that "
        "is damaged; 'llmzip recover' saves its good parts.",
    ),
    "test": (
        ("quick", "recursive", "force", "threads", "memory", "say"),
        "Decode each archive completely and compare all checks; write nothing.",
    ),
    "list": (
        ("recursive", "force", "say"),
        "Show what each archive holds and what decoding it takes, without decoding it; -v shows "
        "every segment.",
    ),
    "recover": (
        ("stdout", "force", "output", "threads", "memory", "say"),
        "Write every undamaged segment of a broken archive, in order, and say what is lost. "
        "Exit code 1 if anything is.",
    ),
}

_ALIAS = (
    *("mode", *_CODING, "level", "predictor", "verify"),
    *("threads", "memory", "quick", "say"),
)
_EXIT_CODES = (
    "Exit codes: 0 done; 1 failed; 2 wrong usage; 3 something is missing here (a predictor, a "
    "newer version, memory over a limit); 130 interrupted. With several files, the worst of them."
)
_SHORT_HELP = f"""\
Usage: {PROGRAM} [OPTIONS] [FILE]...      compress each FILE to FILE.llmz
       {PROGRAM} -d FILE.llmz             decompress to FILE
       {PROGRAM} VERB -h                  {" ".join(_VERBS)}
       tar -I {PROGRAM} -cf DIR.tar.llmz DIR
'{PROGRAM} -h' lists all options.
"""
_MAIN_HELP = f"""\
Compress each FILE to FILE.llmz and keep FILE. Without FILE, or when FILE is -, standard input goes
to standard output.

\b
Verbs:
  compress    what happens without a verb
  decompress  get files back; as -d
  test        decode everything, write nothing; as -t
  list        show what archives hold; as -l
  recover     save what can be saved of a broken archive

\b
Examples:
  {PROGRAM} notes.txt                       makes notes.txt.llmz
  {PROGRAM} -d notes.txt.llmz               makes notes.txt
  {PROGRAM} -8 --rm *.csv                   smaller, slower; removes each source once verified
  {PROGRAM} test --json *.llmz              one JSON object for each archive
  tar -I {PROGRAM} -cf DIR.tar.llmz DIR     a whole folder; -xf gets it back

\b
Levels:
  -1 .. -2  fast (zstd)     -3 .. -5  light context mixing
  -6        the default     -7 .. -9  smallest, slowest, most memory
"""


class _Command(click.Command):
    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.name in _VERBS:
            file = "BROKEN -o OUT" if self.name == "recover" else "[FILE]..."
            formatter.write_usage(PROGRAM, f"{self.name} [OPTIONS] {file}")
        else:
            formatter.write_usage(PROGRAM, "[OPTIONS] [FILE]...")
            formatter.write_usage(PROGRAM, "VERB [OPTIONS] [FILE]...", prefix=" " * 7)


def _command(verb: str | None) -> click.Command:
    groups, text = (_ALIAS, _MAIN_HELP) if verb is None else _VERBS[verb]
    params: list[click.Parameter] = [o for group in groups for o in _OPTIONS[group]]
    params.append(click.Argument(["files"], nargs=-1, type=click.UNPROCESSED))
    if verb is None:
        version = _flag(
            *("-V", "--version"),
            help="Show the version and exit.",
            is_eager=True,
            expose_value=False,
            callback=_show_version,
        )
        params.append(version)
    return _Command(
        verb,
        params=params,
        help=text,
        epilog=_EXIT_CODES,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )


def _show_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from llmzip._native import VERSION

        click.echo(f"{PROGRAM} {VERSION}")
        ctx.exit()


def parse(arguments: Sequence[str]) -> Job:
    """What the arguments ask for.

    Raises UsageError, or click.exceptions.Exit once help or version is printed.
    """
    verb = arguments[0] if arguments and arguments[0] in _VERBS else None
    rest = list(arguments if verb is None else arguments[1:])
    try:
        with _command(verb).make_context(verb or PROGRAM, rest) as context:
            given = dict(context.params)
    except click.ClickException as error:
        message = error.format_message().rstrip(".")
        if ". " in message or ".\n" in message:
            message = message.replace(".\n", "; ").replace(". ", "; ")
        help = PROGRAM if verb is None else f"{PROGRAM} {verb}"
        raise UsageError(f"{message[:1].lower()}{message[1:]}; see {help} -h") from None
    mode = verb or given.pop("mode", None) or "compress"
    files = tuple(given.pop("files"))
    return Job(
        mode=mode,
        files=files or ("-",),
        verify=not given.pop("no_verify", False),
        progress=not given.pop("no_progress"),
        **{name: value for name, value in given.items() if name != "mode" and value is not None},
    )


def run(arguments: Sequence[str]) -> int:
    """Do what the arguments ask for; returns the exit code."""
    if not arguments and _is_terminal(0):
        complain(_SHORT_HELP)
        return 2
    report = Report(Job(mode="", files=(), as_json="--json" in arguments))
    try:
        job = parse(arguments)
        report = Report(job)
        job.check()
    except UsageError as error:
        report.error(None, error)
        return report.exit_code
    except click.exceptions.Exit as done:
        return done.exit_code
    except OSError as error:
        # Help or version that could not be printed.
        report.error("standard output", error)
        return report.exit_code
    try:
        import_module(f"llmzip.commands.{job.mode}").run(job, report)
    except Exception as error:
        report.error(None, error)
    return report.exit_code


def _is_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False
