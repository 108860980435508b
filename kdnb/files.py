"""Atomic files: a reader sees the old content or the new one, never a half-written one."""

import errno
import json
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary neighbour of ``path``, then put it in place.

    It may be read by whom a new file of this process may be, whatever ``write`` makes it. Raises OSError naming
    ``path`` when writing fails (disk full, no permission); the earlier file stays readable.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
        mode = temporary.stat().st_mode
        write(temporary)
        with suppress(OSError):  # safetensors writes for its owner alone; some mounted disks know no modes
            temporary.chmod(mode)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, SafetensorError) as error:
        raise OSError(
            f"could not write {path}: {error}. What was there before is untouched; {way_out(error)}, then run again."
        ) from error
    finally:
        with suppress(OSError):  # where nothing can be written there is nothing to remove
            temporary.unlink(missing_ok=True)


def way_out(error: OSError | SafetensorError) -> str:
    """What to do about an error of writing, by its number: safetensors has it in its text only."""
    said = re.search(r"os error (\d+)", str(error))
    number = error.errno if isinstance(error, OSError) else int(said[1]) if said else None
    if number in (errno.ENOSPC, errno.EDQUOT):
        return "make room"
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "choose a folder that you may write to, or change its permissions"
    if number in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
        return "choose another folder, or move away what has the name of one"
    return "see to that"


def write_json(path: Path, content: object) -> None:
    """Write ``content`` as indented JSON, atomically."""
    text = json.dumps(content, indent=1, sort_keys=True) + "\n"
    write_atomically(path, lambda temporary: temporary.write_text(text))


def read_json(path: Path, what: str) -> dict[str, Any]:
    """Read what :func:`write_json` wrote of a mapping; ValueError naming the file when it is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise damaged(path, what, error) from error
    if not isinstance(content, dict):
        raise damaged(path, what, "it holds no names with values")
    return content


def damaged(path: Path, what: str, why: object) -> ValueError:
    """The refusal of a file that cannot be read."""
    way_out = "Put a copy in its place, or move its folder away and have what is in it made anew."
    return ValueError(f"{what} {path} is damaged ({why}); it was kept. {way_out}")


def halved(values: Tensor) -> Tensor:
    """In half precision, unless one of them is beyond it (65504): then as they are."""
    half = values.half()
    return half if bool(half.isfinite().all()) else values


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, object]) -> None:
    """Write named tensors as safetensors, atomically; ``metadata`` values are stored as JSON.

    Those that share memory, as a layer of two names has it, are each written whole.
    """
    plain, memory = dict[str, Tensor](), set[int]()
    for name, tensor in tensors.items():
        one = tensor.detach().cpu().contiguous()
        place = one.untyped_storage().data_ptr()
        plain[name] = one.clone() if place in memory else one  # safetensors takes no memory twice
        memory.add(place)
    notes = {name: json.dumps(value) for name, value in metadata.items()}
    write_atomically(path, lambda temporary: save_file(plain, temporary, metadata=notes))


def read_tensors(path: Path, what: str = "file") -> tuple[dict[str, Tensor], dict[str, object]]:
    """Read what :func:`write_tensors` wrote, on the CPU.

    Raises ValueError naming the file when it is truncated or not safetensors, FileNotFoundError when it is gone.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors: dict[str, torch.Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = {name: json.loads(value) for name, value in (file.metadata() or {}).items()}
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{what} {path} is not there; put it back, or move its folder away and have the run made anew."
        ) from None
    except (SafetensorError, json.JSONDecodeError) as error:
        raise damaged(path, what, error) from error
    return tensors, metadata
