"""Holds a port's arrays against a reference data set, and says where they part."""
from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..progress import Progress, silent
from .export import MEL, METADATA, SCHEMA, TOLERANCE
from .mel import STANDARD

SHOWN = 20


@dataclass(frozen=True)
class Verdict:
    """How a candidate fared: what was compared, what is wrong (one sentence each), and the largest difference anywhere."""

    compared: int
    faults: tuple[str, ...]
    largest: float

    @property
    def passed(self) -> bool:
        """Say whether everything was there and agreed."""
        return not self.faults and self.compared > 0

    def to_text(self) -> str:
        """Give the verdict for people."""
        lines = [f"{'PASS' if self.passed else 'FAIL'}: {self.compared} arrays compared, largest difference {self.largest:.3g} "
                 f"(allowed {TOLERANCE:g}), {len(self.faults)} faults"]
        lines += [f"  {fault}" for fault in self.faults[:SHOWN]]
        if len(self.faults) > SHOWN:
            lines.append(f"  and {len(self.faults) - SHOWN} more")
        return "\n".join(lines)


def validate_reference(reference: Path, candidate: Path, tolerance: float = TOLERANCE, progress: Progress = silent) -> Verdict:
    """Compare every array of a reference data set with the candidate's of the same name.

    A candidate fails on a file that is missing or unreadable, on a shape, on NaN or infinity, on a mel outside -4..4, and on any value
    more than the tolerance away. The reference itself is checked against its own hashes first.

    Args:
        reference: folder written by `export_reference`.
        candidate: folder with the port's arrays; it may lack the JSON files.
        tolerance: largest difference allowed.
        progress: told of the files done.

    Raises:
        ValueError: the reference is not a data set of a known schema, or one of its files is not what it was.
    """
    names = _arrays_of(reference)
    faults: list[str] = []
    largest = 0.0
    compared = 0
    for i, name in enumerate(names):
        wanted = np.load(reference / name, allow_pickle=False)
        found = _candidate(candidate / name, name, faults)
        if found is not None:
            compared += 1
            largest = max(largest, _compare(name, wanted, found, tolerance, faults))
        progress(i + 1, len(names))
    return Verdict(compared, tuple(faults), largest)


def _arrays_of(reference: Path) -> list[str]:
    path = reference / METADATA
    if not path.is_file():
        raise ValueError(f"{reference} is no reference data set: it has no {METADATA}. Make one with `talkies export-reference`.")
    metadata: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if metadata.get("schema_version") != SCHEMA:
        raise ValueError(f"{reference} has schema version {metadata.get('schema_version')}; this validator reads {SCHEMA}. Export it anew.")
    for name, digest in metadata["files"].items():
        file = reference / name
        if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != digest:
            raise ValueError(f"{reference}: {name} is missing or not what was exported. Export the reference anew.")
    return [name for name in metadata["files"] if name.endswith(".npy")]


def _candidate(path: Path, name: str, faults: list[str]) -> NDArray[Any] | None:
    if not path.is_file():
        faults.append(f"{name}: missing")
        return None
    try:
        found = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        faults.append(f"{name}: not a readable .npy file ({error})")
        return None
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "fiu":
        faults.append(f"{name}: holds {getattr(found, 'dtype', type(found).__name__)}; real numbers are wanted")
        return None
    return found


def _compare(name: str, wanted: NDArray[Any], found: NDArray[Any], tolerance: float, faults: list[str]) -> float:
    """Add what is wrong with one array; give the largest difference (0 where the shapes do not allow one)."""
    if found.shape != wanted.shape:
        turned = " (its last two axes are swapped)" if found.shape == (*wanted.shape[:-2], wanted.shape[-1], wanted.shape[-2]) else ""
        faults.append(f"{name}: shape {list(found.shape)}, wanted {list(wanted.shape)}{turned}")
        return 0.0
    bad = ~np.isfinite(found)
    if bad.any():
        faults.append(f"{name}: {int(bad.sum())} NaN or infinite values, the first at {_place(bad)}")
        return float("inf")
    if name == MEL:
        outside = np.abs(found) > STANDARD.top + 1e-6
        if outside.any():
            faults.append(f"{name}: range {found.min():.4g} to {found.max():.4g}, wanted -4 to 4; the first outside at {_place(outside)}")
    difference = np.abs(found.astype(np.float64) - wanted)
    worst = float(difference.max())
    if worst > tolerance:
        far = difference > tolerance
        at = np.unravel_index(int(difference.argmax()), difference.shape)
        faults.append(
            f"{name}: {int(far.sum())} of {far.size} values are more than {tolerance:g} off, the first at {_place(far)}, "
            f"the worst by {worst:.4g} at {[int(i) for i in at]}: {float(found[at]):.6g}, wanted {float(wanted[at]):.6g}")
    return worst


def _place(mask: NDArray[np.bool_]) -> list[int]:
    return [int(i) for i in np.argwhere(mask)[0]]
