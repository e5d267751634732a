"""Read Parquet and Arrow files batch by batch, without trusting the sizes that they claim."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from vecaf.errors import InputError
from vecaf.settings import Limits

ROWS = 8  # per batch; with a dictionary, a small file can expand each row to a large image


def schema_of(path: Path, name: str) -> pa.Schema:
    """Return the schema of a file. Raises InputError if it is damaged."""
    try:
        if name.lower().endswith(".parquet"):
            return pq.read_schema(path)
        with pa.memory_map(str(path)) as file:
            return pa.ipc.open_stream(file).schema
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _damaged(name, error) from error


def batches(path: Path, name: str, limits: Limits, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a Parquet or Arrow file in small batches.

    Raises InputError if the file is damaged or expands too far.
    """
    read = _parquet if name.lower().endswith(".parquet") else _arrow
    try:
        yield from read(path, name, limits, columns)
    except (pa.ArrowException, OSError, ValueError, MemoryError, struct.error) as error:
        raise _damaged(name, error) from error


def _parquet(path: Path, name: str, limits: Limits, columns: list[str]) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path, memory_map=True, pre_buffer=False) as file:
        footer = file.metadata
        claimed = sum(footer.row_group(i).total_byte_size for i in range(footer.num_row_groups))
        most = max(path.stat().st_size * limits.max_ratio, 1 << 22)
        if claimed > min(most, limits.max_expanded_bytes) or footer.num_rows > limits.max_members:
            raise InputError(
                f"{name} was not read: it expands to {claimed / 2**30:.1f} GiB and "
                f"{footer.num_rows:,} rows, more than the limits for one import. Split it, or "
                "raise the limits (VECAF_MAX_RATIO, VECAF_MAX_EXPANDED_BYTES, VECAF_MAX_MEMBERS)."
            )
        yield from file.iter_batches(batch_size=ROWS, columns=columns, use_threads=False)


def _arrow(path: Path, name: str, limits: Limits, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Yield the batches of an Arrow stream from a memory map, so that nothing is copied."""
    with pa.memory_map(str(path)) as file:
        reader = pa.ipc.MessageReader.open_stream(file)
        schema = pa.ipc.read_schema(reader.read_next_message())
        while True:
            try:
                message = reader.read_next_message()
            except StopIteration:
                return
            if message.type != "record batch":
                raise InputError(f"{name} has dictionary-encoded columns. Save it as Parquet.")
            if is_compressed(message.metadata.to_pybytes()):
                # A buffer may claim any expanded size, and Arrow allocates it at once.
                raise InputError(f"{name} is a compressed Arrow file. Save it as Parquet.")
            batch = pa.ipc.read_record_batch(message, schema)
            batch.validate(full=True)
            for start in range(0, batch.num_rows, ROWS):
                yield batch.slice(start, ROWS).select(columns)


def is_compressed(metadata: bytes) -> bool:
    """Return whether the metadata of a record batch message (a flatbuffer) names a compression.

    Reference: Message.fbs in https://arrow.apache.org/docs/format/Columnar.html
    """
    root = struct.unpack_from("<I", metadata)[0]
    offset = _field(metadata, root, 2)  # Message: version, header_type, header
    if not offset:
        return False
    batch = root + offset + struct.unpack_from("<I", metadata, root + offset)[0]
    return bool(_field(metadata, batch, 3))  # RecordBatch: length, nodes, buffers, compression


def _field(content: bytes, table: int, index: int) -> int:
    """Return the offset of a field in a flatbuffer table; 0 if it is missing."""
    virtual = table - struct.unpack_from("<i", content, table)[0]
    at = 4 + 2 * index
    size: int = struct.unpack_from("<H", content, virtual)[0]
    offset: int = struct.unpack_from("<H", content, virtual + at)[0] if at < size else 0
    return offset


def _damaged(name: str, error: Exception) -> InputError:
    lines = str(error).splitlines()
    return InputError(
        f"{name} can't be read ({lines[0][:200] if lines else type(error).__name__}). It may be "
        "truncated. Copy or export it again."
    )
