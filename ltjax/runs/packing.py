"""A run in one small file: all that continues it, for another machine.

The file is a tar, compressed by gzip. It has a run's tables, curves, notes and masks, a snapshot if there is
one, and of trained params only those without which the run could not go on. Masks lie within one another from
round to round, so of a ticket's mask only the bits of weights that were alive before are written.
"""

import gzip
import io
import json
import shutil
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from ltjax.core.errors import UserError
from ltjax.core.files import write_whole
from ltjax.core.trees import leaves_by_path, nested, stack
from ltjax.core.types import Lane, Mask
from ltjax.lottery.loop import DROPPED, Round
from ltjax.runs import checkpoints, parts, paths, retention
from ltjax.runs.folder import Run, read_config
from ltjax.runs.thinning import masks_ahead, settle
from ltjax.settings import sweeps
from ltjax.sparsity import masks

FORMAT = "ltjax run, packed, 1"
"""What the file's first member says."""

HEAD = "packed.json"

EQUAL, WITHIN, WHOLE = range(3)
"""How a leaf is written: not at all, as the bits where its reference is True, or as all of its bits."""


def pack(folder: Path, file: Path, snapshot: bool = True) -> int:
    """Write a run, which nothing else writes in, as one file.

    Args:
        folder: the run's.
        file: where; a file that is there is replaced if it is a packed run.
        snapshot: whether a round in the middle of its training goes along; it may be large.

    Returns:
        The file's bytes.

    Raises:
        UserError: there is no run, or a damaged one, or the file is something else.
        OSError: it could not be written; what was there before stands.
    """
    experiment = read_config(folder)
    if file.exists() and not _is_packed(file):
        raise UserError(f"'{file}' is not a packed run, and is left as it is; choose another name with --to.")
    members = {HEAD: json.dumps({"format": FORMAT, "name": folder.name}).encode()}
    for point in sweeps.points(experiment):
        members |= {str(PurePosixPath(point, name)): content
                    for name, content in _members(paths.point(folder, point))}  # fmt: skip
    if experiment.sweep:
        members |= _plain(folder, _told(folder))
    if snapshot:
        members |= _plain(folder, sorted(paths.begun(folder).rglob("*")))
    write_whole(file, lambda into: _write(into, members))
    return file.stat().st_size


def unpack(file: Path, folder: Path) -> None:
    """Make a run's folder of a packed run, whole or not at all.

    Raises:
        UserError: the file is no packed run, or is cut off or altered; or the folder holds something.
        OSError: it could not be written; nothing is left.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"'{folder}' holds something already; choose another folder with --to.")
    members = _read(file)
    made = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(made, ignore_errors=True)
    try:
        _restore(members, made)
        if folder.exists():
            folder.rmdir()
        made.rename(folder)
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise _damaged(file) from error
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _members(home: Path) -> Iterator[tuple[str, bytes]]:
    """Everything of one run, or of one point of a swept one, but for its snapshot."""
    if not paths.config(home).exists():  # a point that was not begun
        return
    run = Run(home)
    run.verify()
    own = [*_told(home), paths.anatomy(home), *sorted(paths.analyses(home).glob("*/*.parquet"))]
    curves = [
        paths.curves(home, *paths.round_and_part(path)) for each in run.parts.values() for path, _ in each
    ]
    yield from _plain(home, [*own, *curves]).items()
    if run.experiment.model.start is not None:
        for trial in range(run.experiment.trials):
            if (theta0 := run.theta0(trial)) is not None:
                yield f"theta0/trial_{trial}.npz", _to_bytes(theta0)
    for path in checkpoints.finished(paths.starts(home)):
        yield f"starts/{path.name}.npz", _to_bytes(checkpoints.load(path))
    coder = Coder()
    for round in sorted(run.parts):
        for path, note in sorted(run.parts[round], key=lambda each: paths.round_and_part(each[0])):
            yield from _packed_part(run, coder, path, note)


def _told(home: Path) -> list[Path]:
    """The files that tell what a run is, copies of the user's among them, whether they are there or not."""
    files = [paths.config(home), paths.identity(home), paths.task(home), paths.environment(home),
             paths.summary(home)]  # fmt: skip
    return files + (sorted(paths.code(home).rglob("*")) if paths.identity(home).exists() else [])


def _plain(home: Path, files: Sequence[Path]) -> dict[str, bytes]:
    """Files as they are, those that are there, by their names in the folder."""
    return {file.relative_to(home).as_posix(): file.read_bytes() for file in files if file.is_file()}


def _packed_part(run: Run, coder: "Coder", path: Path, note: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    found, there = run.part(path, note), parts.kept(note)
    ahead = masks_ahead(run, found, there)
    wanted = retention.wanted(run.experiment, found.index, there, "masks", ahead, run.reads_trained)
    coded = [coder.write(found.index, lane, found.mask(lane)) for lane in _order(found.lanes)]
    if found.begun is not None:
        coded += [coder.write(found.index, lane, found.began(lane)) for lane in _order(found.lanes)]
    coded += [coder.write(found.index + 1, Lane("ticket", trial), ahead[trial]) for trial in sorted(ahead)]
    shapes = {name: np.shape(leaf)[1:] for name, leaf in leaves_by_path(found.masks).items()}
    told = {
        "note": {**note, parts.SHAPES: shapes}, "kinds": [kinds for kinds, _ in coded],
        "ahead": sorted(ahead), "kept": [found.lanes.index(lane) for lane in wanted],
        "evolves": found.begun is not None,
    }  # fmt: skip
    name = f"parts/{path.name}"
    yield f"{name}.json", json.dumps(told).encode()
    yield f"{name}.bits", b"".join(bits for _, bits in coded)
    if wanted:
        own = stack([found.lane(lane)[1:] for lane in wanted])
        yield f"{name}.npz", _to_bytes({"trained": own[0], "collections": own[1]})


def _to_bytes(tree: Any) -> bytes:
    """Nested dictionaries of arrays as bytes."""
    into = io.BytesIO()
    np.savez(into, **leaves_by_path(tree))
    return into.getvalue()


def _from_bytes(content: bytes) -> dict[str, Any]:
    with np.load(io.BytesIO(content), allow_pickle=False) as found:
        return nested(dict(found))


def _order(lanes: Sequence[Lane]) -> list[Lane]:
    """Tickets first: the others' masks are mostly theirs."""
    return sorted(lanes, key=lambda lane: lane.arm != "ticket")


class Coder:
    """Masks as bits, each beside one of its trial that was written before; and back, in the same order."""

    def __init__(self) -> None:
        self.tickets: dict[tuple[int, int], Mask] = {}

    def write(self, round: int, lane: Lane, mask: Mask) -> tuple[list[int], bytes]:
        """How each leaf is written, and the bits."""
        kinds, bits = [], b""
        before = leaves_by_path(self._reference(round, lane, mask))
        for name, leaf in leaves_by_path(mask).items():
            kind = _kind(leaf, before[name])
            kinds.append(kind)
            written = {EQUAL: leaf[:0], WITHIN: leaf[before[name]], WHOLE: leaf}[kind]
            bits += np.packbits(written).tobytes()
        self._keep(round, lane, mask)
        return kinds, bits

    def read(self, round: int, lane: Lane, shapes: Any, kinds: Sequence[int], bits: io.BytesIO) -> Mask:
        """The mask that was written."""
        before = leaves_by_path(self._reference(round, lane, shapes))
        leaves = {}
        for (name, leaf), kind in zip(before.items(), kinds, strict=True):
            leaves[name] = leaf.copy()
            if kind != EQUAL:
                places = leaf if kind == WITHIN else np.ones(leaf.shape, bool)
                count = int(np.count_nonzero(places))
                read = np.frombuffer(bits.read(-(-count // 8)), np.uint8)
                leaves[name][places] = np.unpackbits(read, count=count).astype(bool)
        mask = nested(leaves)
        self._keep(round, lane, mask)
        return mask

    def _reference(self, round: int, lane: Lane, like: Any) -> Mask:
        """The trial's ticket of the round, else of the one before, else a dense mask."""
        for each in (round, round - 1):
            if (each, lane.trial) in self.tickets:
                return self.tickets[each, lane.trial]
        return masks.dense(like)

    def _keep(self, round: int, lane: Lane, mask: Mask) -> None:
        if lane.arm == "ticket":
            self.tickets = {at: kept for at, kept in self.tickets.items() if at[0] >= round - 1}
            self.tickets[round, lane.trial] = mask


def _kind(leaf: np.ndarray, before: np.ndarray) -> int:
    if np.array_equal(leaf, before):
        return EQUAL
    return WITHIN if not (leaf & ~before).any() else WHOLE


def _restore(members: dict[str, bytes], made: Path) -> None:
    """Write a packed run's members as a folder."""
    config = paths.config(Path()).name
    homes = {name.removesuffix(config) for name in members if PurePosixPath(name).name == config}
    for name, content in members.items():
        if name != HEAD and _is_plain(PurePosixPath(name)):
            path = made / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    for home in sorted(homes):
        own = {name.removeprefix(home): content for name, content in members.items() if name.startswith(home)}
        _restore_parts(own, made / home)
        settle(made / home, "masks")


def _is_plain(name: PurePosixPath) -> bool:
    """Whether a member is a file of the folder as it stands there."""
    coded = name.parts[-2:-1] in (("parts",), ("theta0",), ("starts",))
    return name.parts[0] == paths.code(Path()).name or not coded


def _restore_parts(members: dict[str, bytes], home: Path) -> None:
    coder = Coder()
    for name in [name for name in members if name.startswith("theta0/")]:
        note = {"trial": int(name.split("_")[1].split(".")[0])}
        checkpoints.save(paths.theta0(home, note["trial"]), _from_bytes(members[name]), note)
    for name in [name for name in members if name.startswith("starts/")]:
        trial, step = paths.trial_and_step(Path(PurePosixPath(name).stem))
        note = {"trial": trial, "step": step}
        checkpoints.save(paths.start(home, trial, step), _from_bytes(members[name]), note)
    for name in [name for name in members if name.startswith("parts/") and name.endswith(".json")]:
        stem = name.removesuffix(".json")
        told, bits = json.loads(members[name]), io.BytesIO(members[f"{stem}.bits"])
        kept = _from_bytes(members[f"{stem}.npz"]) if told["kept"] else {}
        found = _round(paths.round_and_part(Path(stem))[0], told, coder, bits, kept)
        path = paths.part(home, *paths.round_and_part(Path(stem)))
        parts.write(path, found, [found.lanes[at] for at in told["kept"]], told["note"])


def _round(index: int, told: dict[str, Any], coder: Coder, bits: io.BytesIO, kept: dict[str, Any]) -> Round:
    """A part as the round that found it, of what was packed."""
    lanes, kinds = parts.lanes(told["note"]), iter(told["kinds"])
    like = nested({name: np.empty(shape, bool) for name, shape in told["note"][parts.SHAPES].items()})
    own = {lane: coder.read(index, lane, like, next(kinds), bits) for lane in _order(lanes)}
    begun = {lane: coder.read(index, lane, like, next(kinds), bits)
             for lane in (_order(lanes) if told.get("evolves") else ())}  # fmt: skip
    ahead = {trial: coder.read(index + 1, Lane("ticket", trial), like, next(kinds), bits)
             for trial in told["ahead"]}  # fmt: skip
    return Round(
        index, lanes, {}, stack([own[lane] for lane in lanes]), kept.get("trained", {}),
        kept.get("collections", {}), pd.DataFrame(), pd.DataFrame(), ahead=ahead,
        holders=[0 if at in told["kept"] else DROPPED for at in range(len(lanes))],
        begun=stack([begun[lane] for lane in lanes]) if begun else None,
    )  # fmt: skip


def _write(into: Any, members: dict[str, bytes]) -> None:
    with (
        gzip.GzipFile("", "wb", fileobj=into, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w") as tar,
    ):
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def _read(file: Path) -> dict[str, bytes]:
    """A packed run's members, all of them read, and so checked, before anything is written.

    Raises:
        UserError: it is no packed run, or is cut off or altered.
    """
    try:
        content = gzip.decompress(file.read_bytes())  # to its end, where its checksum is
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            opened = {each.name: tar.extractfile(each) for each in tar}
            members = {name: stream.read() for name, stream in opened.items() if stream is not None}
        head = json.loads(members[HEAD])
    except (FileNotFoundError, IsADirectoryError) as error:
        raise UserError(f"there is no file '{file}'.") from error
    except (tarfile.TarError, zlib.error, EOFError, ValueError, KeyError, gzip.BadGzipFile) as error:
        raise _damaged(file) from error
    if head.get("format") != FORMAT or any(".." in name or name.startswith("/") for name in members):
        raise _damaged(file)
    return members


def _is_packed(file: Path) -> bool:
    try:
        with tarfile.open(file, mode="r:gz") as tar:
            first = tar.next()
        return first is not None and first.name == HEAD
    except (tarfile.TarError, zlib.error, EOFError, OSError):
        return False


def _damaged(file: Path) -> UserError:
    return UserError(f"'{file}' is not a packed run, or was cut off or altered; pack the run again.")
