"""Which predictor a segment gets: a pure function of its bytes, the level and the options.

Never of time, threads or the machine: the same segment gets the same predictor everywhere.
"""

from __future__ import annotations

from collections import Counter

from llmzip import _native
from llmzip.container import MAX_CHUNK, PredictorRef, build_varint
from llmzip.errors import ModelError, SetupError, UnsupportedError, UsageError
from llmzip.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmzip.models.loaded import AnyLoaded, Loaded, LoadedCircuit

# Bytes of a segment at each level, by what a reset costs there: level -> bytes.
_SEGMENT_SIZES = {
    1: 16 << 20,
    2: 16 << 20,
    3: 16 << 20,
    4: 16 << 20,
    5: 16 << 20,
    6: 16 << 20,
    7: 64 << 20,
    8: 64 << 20,
    9: 64 << 20,
}

# What a predictor's choice of settings may look at.
_SAMPLE = 1 << 20

# Segments shorter than this are coded without asking whether they are noise: it costs little.
_NOISE_FROM = 64 << 10
_BLOCK = 4096
_BLOCKS = 48
_ANCHOR = 16
_TRIAL_PIECE = 16 << 10
_TRIAL_PIECES = 4
_TRIAL_LEVEL = 3


_WITH_MODEL = frozenset(_native.model_predictors())
_KNOWN = frozenset(_native.predictors()) | _WITH_MODEL


class Choice(Record):
    """A predictor with its settings for one segment."""

    predictor: PredictorRef
    settings: bytes


def new_encoder(ref: PredictorRef, settings: bytes, raw_len: int) -> _native.Encoder:
    """An encoder of a segment; SetupError where this machine cannot have one."""
    try:
        return _native.Encoder(ref.id, ref.version, settings, raw_len)
    except _native.SetupFailed as error:
        raise SetupError(str(error)) from None


def new_decoder(ref: PredictorRef, settings: bytes, raw_len: int) -> _native.Decoder:
    """A decoder of a segment; SetupError where this machine cannot have one."""
    try:
        return _native.Decoder(ref.id, ref.version, settings, raw_len)
    except _native.SetupFailed as error:
        raise SetupError(str(error)) from None


def needs_model(ref: PredictorRef) -> bool:
    """Whether `ref` predicts with a model that is given: a language model, or a circuit."""
    return (ref.id, ref.version, ref.coder) in _WITH_MODEL


def is_language(ref: PredictorRef) -> bool:
    """Whether `ref` predicts with a language model."""
    return ref.id == _LLM


def language(model: AnyLoaded) -> Loaded:
    """`model`, which has to be a language model; `ModelError` where it is not."""
    if model.is_circuit:
        raise ModelError(f"{model.ref.name or 'the model'} is a circuit, no language model")
    return model


def kind_of(model: AnyLoaded | None) -> str:
    """The predictor that a model is for; "" without one."""
    return "" if model is None else _CIRCUIT if model.is_circuit else _LLM


def at_once(ref: PredictorRef) -> bool:
    """Whether a chunk is coded or decoded in a moment, and without a canary."""
    return ref.id in ("tensor", "zstd")


def segment_size(level: int) -> int:
    """Bytes of content that a segment has at `level`, where the caller does not say."""
    return _SEGMENT_SIZES[level]


# By id, in the order of their versions.
_NEWEST = {entry[0]: PredictorRef(*entry) for entry in sorted(_KNOWN)}


def newest(name: str) -> PredictorRef | None:
    """The newest version of predictor `name` that this build has."""
    return _NEWEST.get(name)


def _named(name: str) -> PredictorRef:
    found = newest(name)
    if found is None:
        known = ", ".join(sorted(_NEWEST))
        raise UsageError(f"predictor {name!r} is not known; there are: {known}")
    return found


def require(ref: PredictorRef) -> None:
    """Raises `UnsupportedError` unless this build can decode what `ref` coded."""
    if (ref.id, ref.version, ref.coder) not in _KNOWN:
        raise UnsupportedError(
            f"predictor {ref.id!r} version {ref.version} (coder {ref.coder}) is not in this "
            "llmzip: install a version that has it"
        )


def candidates(
    level: int,
    predictor: str | None,
    *,
    tensors: bool = False,
    others: bool = True,
    tables: bool = False,
    models: tuple[str, ...] = (),
) -> tuple[PredictorRef, ...]:
    """The predictors that segments may get, in the order in which an archive numbers them.

    tensors: whether some of the segments are of tensors. others: whether some are not, and not
    small beside them. tables: whether tensors may be tables. models: the predictors whose models
    are there.
    """
    if predictor is not None:
        ref = _named(predictor)
        if needs_model(ref) and ref.id not in models:
            what = "a model" if is_language(ref) else "a circuit"
            raise UsageError(f"predictor {predictor} needs {what}: name one with -m (model=)")
        return (ref,)
    general: tuple[PredictorRef, ...] = (_named("zstd"),)
    if level > 2:
        general = (_named("cm"), _named("store"), _named(_PC))
    general = (*general, *map(_named, models))
    if not tensors:
        return general
    if level <= 2 or level >= 7:
        return (*general, _named("tensor"))
    if others:
        return (*general, _named("tensor"), _named("zstd"))
    return (*((_named(_PC),) if tables else ()), _named("tensor"), _named("zstd"))


def memory(choice: Choice, raw_len: int, model: AnyLoaded | None = None) -> int:
    """Bytes of memory that coding or decoding a segment of `raw_len` bytes takes.

    model: what predicts, where the predictor needs one; not counted without.
    """
    ref = choice.predictor
    own = _native.memory(ref.id, ref.version, choice.settings, raw_len)
    return own + (model.memory(choice.settings) if model and needs_model(ref) else 0)


def most_memory(
    predictors: tuple[PredictorRef, ...], level: int, raw_len: int, model: AnyLoaded | None = None
) -> int:
    """The most that `memory` says for any segment of up to `raw_len` bytes."""
    choices = [_with_settings(ref, level, b"") for ref in predictors]
    if (joined := _most_joined(level, model)) and joined.predictor in predictors:
        choices.append(joined)
    return max(memory(choice, raw_len, model) for choice in choices)


_TENSOR = "tensor"
_LLM = "llm"
_PC = "pc"
_CIRCUIT = "circuit"
# Bytes of a segment by a circuit, about: what is decoded to read one row.
_ROWS_SEGMENT = 1 << 20
_ROWS_TRIAL = 1 << 16
# The most settings of a circuit alone; joined with a context mixer it has more.
_ROWS_SETTINGS = 10
# What is tried of images, which a mixer has to learn.
_IMAGES_TRIAL = 1 << 18
# What is looked at to tell whether content is a table, and what two predictors are tried on.
_COLUMNS_LOOK = 1 << 18
_COLUMNS_TRIAL = 1 << 19
_COLUMNS_LEVEL = 6
# How whole numbers lie in an array (FORMAT.md, 12), by their number as a tensor's elements, and the
# most of them that a table's row has: there is nothing to be learnt from few rows.
_ELEMENTS = {0: 1, 7: 24, 8: 8, 9: 20, 10: 4, 11: 18, 12: 2, 13: 17, 14: 1}
_MOST_CELLS = 256
# Settings of a segment by a model after which no other one starts, and the flag of the last of them
# that says that the model learns.
_ALONE_SETTINGS = 6
_LEARNS = 1
# Settings of a change: those of a tensor, and where in the base it is.
_CHANGE_SETTINGS = 15
_PROBE = 256 << 10
# What is looked at to tell whether a tensor repeats itself, and what zstd leaves, in tenths, of
# floats and blocks that are worth a closer look: of those that models have it leaves more.
_LOOK = 128 << 10
_REPEATS = 7
# Where more than that may repeat the start is looked at, as far as zstd's window reaches twice.
_LONG_LOOK = 4 << 20
# The level of zstd that tells what zstd leaves; thorough ones are not always smaller.
_QUICK = 3
_FLOATS = frozenset([*range(1, 7), *range(16, 27)])


def for_tensor(level: int, kind: str, row: int) -> Choice:
    """The predictor for a segment of elements of `kind` in rows of `row` elements."""
    return Choice(_named(_TENSOR), _native.tensor_settings(level, kind, row, None))


def as_change(
    own: Choice, kind: str, data: bytes | memoryview, base: bytes, offset: int
) -> Choice | None:
    """The choice for coding `data` as a change of `base`, where a sample says that it is smaller.

    own: the choice without a base. offset: where in the base file `base` is. What is one byte over
    and over is as small without a base, and can then be read without it.
    """
    if is_constant(data):
        return None
    try:
        row = int.from_bytes(own.settings[3:7], "little")
        settings = _native.tensor_settings(own.settings[0], kind, row, offset)
    except ValueError:
        return None
    change = Choice(own.predictor, settings)
    at = (len(data) - _PROBE) // 2 // 8 * 8 if len(data) > _PROBE else 0
    sample, of = data[at : at + _PROBE], base[at : at + _PROBE]
    return change if _sampled(change, sample, of) < _sampled(own, sample, None) else None


def may_be_table(kind: str, row: int) -> bool:
    """Whether elements of `kind` in rows of `row` may be columns that tell of each other."""
    settings = _native.tensor_settings(1, kind, row, None)
    return settings[1] in _ELEMENTS and 1 < row <= _MOST_CELLS


def _as_table(own: Choice, data: bytes | memoryview, level: int) -> Choice | None:
    """The choice for a tensor as a table, where a part of it is smaller then than as `own`."""
    row = int.from_bytes(own.settings[3:7], "little")
    elements = _ELEMENTS.get(own.settings[1])
    if level < 3 or elements is None or not 1 < row <= _MOST_CELLS:
        return None
    width = row * (elements & 15)
    sample = bytes(data[: max(_COLUMNS_TRIAL // width, 1) * width])
    cells = bytes([elements]) + build_varint(row)

    def table(level: int) -> Choice:
        found = _with_lines(_with_settings(_named(_PC), level, sample), bytes(data))
        return found.replace(settings=found.settings + cells)

    trial = table(min(level, _COLUMNS_LEVEL))
    return table(level) if _sampled(trial, sample, None) < _sampled(own, sample, None) else None


def for_content(own: Choice, data: bytes | memoryview, level: int) -> Choice:
    """The choice for `data` of a tensor: `own`, but for ones that repeat themselves, and tables.

    So do those of few values. A sample tells, which most tensors pass at the first look.
    """
    if is_constant(data):
        return own
    if table := _as_table(own, data, level):
        return table
    at = (len(data) - _LOOK) // 2 // 8 * 8 if len(data) > _LOOK else 0
    sample = data[at : at + _LOOK]
    floats = own.settings[1] in _FLOATS
    few = _native.tensor_with_values(own.settings, data)
    far = len(data) > _LOOK and _repeats_far(own, data)
    if (
        floats
        and not few
        and not far
        and not _native.may_repeat(own.settings, sample[: _LOOK // 2])
    ):
        return own
    best = _least((own, Choice(own.predictor, few)) if few else (own,), sample)
    if far:
        sample = data[:_LONG_LOOK]
    zstd = _named("zstd")
    quick, thorough = Choice(zstd, bytes([_QUICK])), _with_settings(zstd, level, b"")
    found = _sampled(quick, sample, None)
    if 10 * found > (_REPEATS if floats else 10) * len(sample):
        return best
    if found >= _sampled(best, sample, None):
        return best
    if level >= 7:
        return choose(bytes(data), level, None)
    if not far:
        # What is to be told apart now is closer.
        sample = data[: _LONG_LOOK // 4]
    matching = Choice(own.predictor, _native.tensor_with_matches(own.settings))
    return _least((best, matching, thorough, quick), sample)


def _least(choices: tuple[Choice, ...], sample: bytes | memoryview) -> Choice:
    """The choice that makes least of a sample, the first of equals."""
    if len(choices) == 1:
        return choices[0]
    return min(choices, key=lambda choice: _sampled(choice, sample, None))


def _repeats_far(own: Choice, data: bytes | memoryview) -> bool:
    """Whether a tensor repeats itself further away than a short look at it tells.

    Of floats with rows whole rows are all that is likely to come again.
    """
    if _native.rows_repeat(own.settings, data):
        return True
    in_rows = own.settings[1] in _FLOATS and any(own.settings[3:7])
    return not in_rows and _native.may_repeat(own.settings, data[:_LONG_LOOK])


def _sampled(choice: Choice, sample: bytes | memoryview, base: bytes | None) -> int:
    encoder = new_encoder(choice.predictor, choice.settings, len(sample))
    if base is not None:
        encoder.set_base(base)
    encoder.look_ahead(sample)
    encoder.write(sample)
    return len(encoder.finish_chunk())


def is_constant(data: bytes | memoryview) -> bool:
    """Whether all bytes, of which there is at least one, are the same."""
    first = bytes(data[:1])
    # The whole is copied only where its start does not settle it.
    return not bytes(data[:_ANCHOR]).lstrip(first) and not bytes(data).lstrip(first)


def counts(choice: Choice) -> bool:
    """Whether a segment is coded by the position in it, so that every chunk goes through that."""
    joined = choice.predictor.id == _CIRCUIT and len(choice.settings) > _ROWS_SETTINGS
    return joined or choice.predictor.id in (_TENSOR, _PC)


def in_a_moment(choice: Choice) -> bool:
    """Whether a segment is coded too fast to report on its way: tensors, but for high levels."""
    return choice.predictor.id == _TENSOR and choice.settings[0] <= 6


def base_offset(ref: PredictorRef, settings: bytes) -> int | None:
    """Where in its base a segment's content is; None for one that has no base."""
    if ref.id != _TENSOR or len(settings) != _CHANGE_SETTINGS:
        return None
    return int.from_bytes(settings[7:], "little")


def is_followed(ref: PredictorRef, settings: bytes) -> bool:
    """Whether other segments may start from the state after one with these settings."""
    return is_language(ref) and len(settings) > _ALONE_SETTINGS


def followed(choice: Choice, longest: int) -> Choice:
    """`choice` of a model's predictor for a segment from whose state others start.

    longest: bytes of the longest of these.
    """
    return choice.replace(settings=choice.settings + build_varint(longest))


def for_small(level: int) -> Choice | None:
    """The predictor for little content beside tensors, read before any of them; None for any."""
    return _with_settings(_named("zstd"), level, b"") if level < 7 else None


def choose(
    data: bytes,
    level: int,
    predictor: str | None,
    model: AnyLoaded | None = None,
    *,
    adapt: bool = True,
) -> Choice:
    """The predictor for a segment with content `data`; `predictor` forces one.

    model: the model that may predict. adapt: whether a language model may learn the content.
    """
    kind = kind_of(model)
    options = candidates(level, predictor, models=(kind,) if kind else ())
    if len(options) > 1 and _is_noise(data, options[0]):
        return Choice(options[1], b"")
    if model is not None and model.is_circuit:
        if options[-1].id == _CIRCUIT and (rows := _by_circuit(data, level, model, options)):
            return rows
    elif model is not None and needs_model(options[-1]):
        choice = _with_settings(options[-1], level, data[:_SAMPLE])
        if not adapt:
            # A flag of the last byte says whether the model learns.
            *others, flags = choice.settings
            choice = choice.replace(settings=bytes([*others, flags & ~_LEARNS]))
        try:
            if len(options) == 1 or model.native.helps(choice.settings, data):
                return choice
        except _native.SetupFailed as error:
            raise SetupError(str(error)) from None
    if len(options) > 2 and _columns_pay(data, level):
        return _with_lines(_with_settings(_named(_PC), level, data[:_SAMPLE]), data)
    choice = _with_settings(options[0], level, data[:_SAMPLE])
    return _with_lines(choice, data) if options[0].id == _PC else choice


def _with_lines(choice: Choice, data: bytes) -> Choice:
    """`choice` with the number of line feeds, by which readers find rows."""
    return choice.replace(settings=choice.settings + build_varint(data.count(b"\n")))


def lines(ref: PredictorRef, settings: bytes) -> int | None:
    """The number of line feeds in a segment's content, where its settings tell."""
    if ref.id not in (_PC, _CIRCUIT):
        return None
    return _native.lines(ref.id, settings)


def rows_segment(level: int, model: LoadedCircuit) -> int:
    """Bytes of content of a segment by a circuit at `level`: whole records of a stack.

    Segments are short where they can be decoded fast. A mixer that joins in has to learn.
    """
    stride = model.native.stride or 1
    size = _ROWS_SEGMENT if _most_joined(level, model) is None else segment_size(level)
    return max(size // stride, 1) * stride


def _by_circuit(
    data: bytes, level: int, model: LoadedCircuit, options: tuple[PredictorRef, ...]
) -> Choice | None:
    """The choice of a circuit, alone or joined with `cm`, where that makes less of a sample.

    options: what else may be chosen; nothing where there is the circuit alone.
    """
    alone = Choice(options[-1], b"")
    joined = model.native.joined(level, data[:_SAMPLE])
    if joined is None:
        sample = data[:_ROWS_TRIAL]
        plain = _with_settings(_named("cm"), _TRIAL_LEVEL, sample)
        pays = len(options) == 1 or _given(alone, sample, model) < _sampled(plain, sample, None)
        return _with_lines(alone, data) if pays else None
    sample = data[:_IMAGES_TRIAL]
    alone = _with_lines(alone, data)
    choices = [alone.replace(settings=alone.settings + joined), alone]
    sizes = [_given(choice, sample, model) for choice in choices]
    if len(options) > 1:
        # It predicts as the joint one, but for the circuit.
        choices.insert(0, Choice(_named("cm"), joined))
        sizes.insert(0, _sampled(choices[0], sample, None))
    best = choices[sizes.index(min(sizes))]
    return best if best.predictor == alone.predictor else None


def _given(choice: Choice, sample: bytes, model: LoadedCircuit) -> int:
    """As `_sampled`, by a predictor that is given a circuit."""
    encoder = new_encoder(choice.predictor, choice.settings, len(sample))
    model.give(encoder, False)
    encoder.write(sample)
    return len(encoder.finish_chunk())


def _most_joined(level: int, model: AnyLoaded | None) -> Choice | None:
    """The choice of a circuit joined with a context mixer that takes most memory; None for none."""
    settings = model.native.joined(level, None) if model and model.is_circuit else None
    if settings is None:
        return None
    return Choice(_named(_CIRCUIT), build_varint(0) + settings)


def _columns_pay(data: bytes, level: int) -> bool:
    """Whether content is a table, and a part of it is smaller when it is coded as that."""
    if not _native.has_columns(data[:_COLUMNS_LOOK]):
        return False
    sample, level = data[:_COLUMNS_TRIAL], min(level, _COLUMNS_LEVEL)
    plain, table = (_with_settings(_named(name), level, sample) for name in ("cm", _PC))
    return _sampled(table, sample, None) < _sampled(plain, sample, None)


def _with_settings(ref: PredictorRef, level: int, sample: bytes) -> Choice:
    return Choice(ref, _native.settings(ref.id, ref.version, level, sample))


def _is_noise(data: bytes, ref: PredictorRef) -> bool:
    """Whether `ref` would not shrink `data`; cheap tests come first."""
    return (
        len(data) >= _NOISE_FROM
        and _looks_random(data)
        and not _repeats(data)
        and not _zstd_shrinks(data)
        and not _trial_shrinks(data, ref)
    )


def _spread(length: int, size: int, count: int) -> range:
    """`count` places for samples of `size` bytes, evenly over `length` bytes."""
    return range(0, length - size + 1, max((length - size) // (count - 1), 1))


def _looks_random(data: bytes) -> bool:
    """Whether in every sampled block all byte values are about equally frequent.

    In a random block of n bytes the sum of squared counts is about n^2/256 + n, with a standard
    deviation of n / 11; compressed images and sound are off by far more in some of their blocks.
    """
    limit = _BLOCK * _BLOCK // 256 + _BLOCK * 3 // 2
    return all(
        sum(n * n for n in Counter(data[at : at + _BLOCK]).values()) < limit
        for at in _spread(len(data), _BLOCK, _BLOCKS)
    )


def _repeats(data: bytes) -> bool:
    """Whether a sampled string of bytes comes again anywhere later."""
    return any(
        data.find(data[at : at + _ANCHOR], at + 1) >= 0
        for at in _spread(len(data), _ANCHOR, _BLOCKS // 2)
    )


def _zstd_shrinks(data: bytes) -> bool:
    """Whether a fast pass over all of it saves 1/512 of any chunk."""
    choice = _with_settings(_named("zstd"), 1, b"")
    ref = choice.predictor
    encoder = new_encoder(ref, choice.settings, len(data))
    return any(_saves(encoder, data[at : at + MAX_CHUNK]) for at in range(0, len(data), MAX_CHUNK))


def _trial_shrinks(data: bytes, ref: PredictorRef) -> bool:
    """Whether `ref` itself, at a low level, saves 1/512 of a few samples."""
    places = _spread(len(data), _TRIAL_PIECE, _TRIAL_PIECES)
    sample = b"".join(data[at : at + _TRIAL_PIECE] for at in places)
    choice = _with_settings(ref, _TRIAL_LEVEL, sample)
    encoder = new_encoder(ref, choice.settings, len(sample))
    return _saves(encoder, sample)


def _saves(encoder: _native.Encoder, chunk: bytes) -> bool:
    encoder.write(chunk)
    return len(encoder.finish_chunk()) < len(chunk) - len(chunk) // 512
