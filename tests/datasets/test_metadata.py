from __future__ import annotations

import csv
import io
import json
import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vecaf.datasets.folder_layout import place_images
from vecaf.datasets.metadata import (
    MAX_CAPTION,
    Metadata,
    MetadataRow,
    guarded,
    parse_metadata,
    with_whole_labels,
)
from vecaf.datasets.names import clean, clean_path
from vecaf.errors import InputError, VecafError

ANYTHING = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
PATHS = st.text(string.ascii_letters + "àéø=,;\"' .", min_size=1, max_size=20).filter(
    lambda text: text.strip() == text and text not in (".", "..")
)
ROWS = st.dictionaries(PATHS, st.tuples(ANYTHING, ANYTHING), max_size=8)


def expected(rows: dict[str, tuple[str, str]]) -> dict[str, MetadataRow]:
    return {
        clean_path(name): MetadataRow(clean(label) or None, clean(text) or None)
        for name, (label, text) in rows.items()
    }


@given(ROWS, st.sampled_from([",", ";", "\t"]), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_csv_round_trip(
    rows: dict[str, tuple[str, str]], delimiter: str, end: str, bom: bool
) -> None:
    assume(not any(clean(label).endswith(".0") for label, _ in rows.values()))
    table = io.StringIO(newline="")
    # Quote all cells: this writer does not quote a lone carriage return, which is then ambiguous.
    writer = csv.writer(table, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerow(["file_name", "label", "unused", "text"])
    writer.writerows(
        [guarded(name), guarded(label), "1", guarded(text)] for name, (label, text) in rows.items()
    )
    parsed = parse_metadata(
        table.getvalue().encode("utf-8-sig" if bom else "utf-8"), "metadata.csv"
    )
    assert parsed.rows == expected(rows)
    assert (parsed.refused, parsed.labeled) == ([], bool(rows))


@given(ROWS, st.booleans())
def test_jsonl_round_trip(rows: dict[str, tuple[str, str]], ascii_only: bool) -> None:
    lines = [
        json.dumps({"file_name": name, "label": label, "text": text}, ensure_ascii=ascii_only)
        for name, (label, text) in rows.items()
    ]
    parsed = parse_metadata("\n".join(lines).encode(), "metadata.jsonl")
    assert parsed.rows == expected(rows)
    assert parsed.refused == []


@given(st.one_of(st.binary(), ANYTHING.map(lambda text: ("file_name,label\n" + text).encode())))
def test_any_bytes_give_rows_or_an_input_error(content: bytes) -> None:
    for name in ("metadata.csv", "metadata.jsonl"):
        try:
            parse_metadata(content, name)
        except VecafError as error:
            assert name in str(error)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANYTHING,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANYTHING, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["file_name", "label", "text", "split"]), JSON) | JSON)
def test_any_json_is_a_row_or_a_refusal(value: object) -> None:
    parsed = parse_metadata(json.dumps(value).encode(), "metadata.jsonl")
    assert len(parsed.rows) + len(parsed.refused) == 1


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"label,text\na,b", "has no column file_name"),
        (b"", "has no column file_name"),
        ("file_name\né.jpg".encode("latin-1"), "not UTF-8"),
        (b'file_name,text\na.jpg,"' + b"x" * 200_000 + b'"', "from line 2 on"),
    ],
)
def test_files_that_cannot_be_used(content: bytes, match: str) -> None:
    with pytest.raises(InputError, match=match):
        parse_metadata(content, "metadata.csv")


def test_values() -> None:
    lines = [
        '{"file_name": "0.jpg", "label": 3.0, "caption": "c"}',
        '{"file_name": "1.jpg", "label": null, "split": "Validation"}',
        '{"file_name": "2.jpg", "split": "trial"}',
        '{"file_name": "3.jpg", "text": "' + "x" * (MAX_CAPTION + 1) + '"}',
        '{"file_name": "4.jpg", "label": [1]}',
        "[" * 100_000,
    ]
    parsed = parse_metadata("\n".join(lines).encode(), "metadata.jsonl")
    assert parsed.rows == {"0.jpg": MetadataRow("3", "c"), "1.jpg": MetadataRow(split="val")}
    words = ["instead of train, val or test", "10,000", "neither text nor a number", "JSON object"]
    for refusal, word in zip(parsed.refused, words, strict=True):
        assert word in refusal.reason


def test_case_is_ignored_in_the_name_of_a_metadata_file() -> None:
    line = b'{"file_name": "0.jpg", "label": "cat"}'
    assert parse_metadata(line, "METADATA.JSONL").rows == {"0.jpg": MetadataRow("cat")}
    assert (
        parse_metadata(b"file_name,label\n0.jpg,cat", "Metadata.CSV").rows["0.jpg"].label == "cat"
    )


def test_nan_means_missing() -> None:
    line = b'{"file_name": "0.jpg", "label": NaN, "text": NaN, "split": NaN}'
    parsed = parse_metadata(line, "metadata.jsonl")
    assert (parsed.rows, parsed.refused) == ({"0.jpg": MetadataRow()}, [])


@pytest.mark.parametrize("spelling", ["nan", "None", "null", "NA", "#N/A", "-nan", "<NA>"])
def test_values_that_pandas_reads_as_missing_are_no_labels(spelling: str) -> None:
    table = f"file_name,label,text\n0.jpg,{spelling},{spelling}\n1.jpg,cat,\n2.jpg, {spelling} ,x\n"
    parsed = parse_metadata(table.encode(), "metadata.csv")
    assert parsed.rows == {
        "0.jpg": MetadataRow(),
        "1.jpg": MetadataRow("cat"),
        "2.jpg": MetadataRow(None, "x"),
    }
    (warning,) = place_images(["0.jpg", "1.jpg", "2.jpg"], {"metadata.csv": parsed}).warnings
    assert f"2 rows of metadata.csv have no label: the cell says {spelling}." in warning
    named = parse_metadata(f"file_name,label\n0.jpg,'{spelling}".encode(), "metadata.csv")
    assert (named.rows["0.jpg"].label, named.missing) == (spelling, {})
    line = json.dumps({"file_name": "0.jpg", "label": spelling}).encode()
    assert parse_metadata(line, "metadata.jsonl").rows["0.jpg"].label == spelling


HEADER = "file_name,label,text\n"
OPEN = 'a.jpg,cat,"a photo\n'
REST = [f"{i}.jpg,dog,a thing\n" for i in range(11)]


@pytest.mark.parametrize(
    "after",
    [
        "",
        '8.jpg,dog,"a ""good"" thing"\n',  # a later quote seems to close the open one
        'said "good" dog,1,2\n',
        '9.jpg,dog,another"\n',
        'b.jpg,dog,"another\n10.jpg,dog,"another\n',
        "7.jpg,dog,a long thing\n" * 5000,
    ],
)
def test_an_unclosed_quote_loses_only_its_row(after: str) -> None:
    table = HEADER + REST[0] + OPEN + "".join(REST[1:7]) + after
    parsed = parse_metadata(table.encode(), "metadata.csv")
    assert set(parsed.rows) >= {f"{i}.jpg" for i in range(7)}
    assert "a.jpg" not in parsed.rows
    assert parsed.refused[0].file == "metadata.csv, line 3"
    assert "a quote that is not closed" in parsed.refused[0].reason


def test_an_open_quote_in_the_last_row_is_found() -> None:
    for end in ("", "\n"):
        parsed = parse_metadata(
            f'{HEADER}{REST[0]}a.jpg,cat,"a photo{end}'.encode(), "metadata.csv"
        )
        assert set(parsed.rows) == {"0.jpg"}
        assert [one.file for one in parsed.refused] == ["metadata.csv, line 3"]


def test_line_breaks_and_quotes_in_captions_are_kept() -> None:
    caption = 'first\nsecond, with "quotes"\n\nsee b.jpg'
    table = io.StringIO(newline="")
    csv.writer(table).writerows([["file_name", "text"], ["a.jpg", caption], ["b.jpg", '5" wide']])
    parsed = parse_metadata(table.getvalue().encode() + b'c.jpg,5" wide\n', "metadata.csv")
    assert parsed.rows == {
        "a.jpg": MetadataRow(caption=clean(caption)),
        "b.jpg": MetadataRow(caption='5" wide'),
        "c.jpg": MetadataRow(caption='5" wide'),
    }
    assert parsed.refused == []


def test_too_many_unclosed_quotes_are_an_error() -> None:
    table = "file_name,text\n" + 'a"b,"c\n' * 3000  # each quote is unclosed
    with pytest.raises(InputError, match="more than 1,000 quotes that are not closed"):
        parse_metadata(table.encode(), "metadata.csv")


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        (["0.0", "10.0", "", "9.0"], ["0", "10", None, "9"]),
        (["1.0", "1.5", ""], ["1.0", "1.5", None]),
        (["1.0", "2.0"], ["1.0", "2.0"]),  # no value is missing, so these are names
        (["1.0", "v2.0", ""], ["1.0", "v2.0", None]),
        (["", ""], [None, None]),
    ],
)
def test_whole_numbers_in_a_column_of_floats(labels: list[str], wanted: list[str | None]) -> None:
    table = "file_name,label\n" + "".join(f"{i}.jpg,{label}\n" for i, label in enumerate(labels))
    files = with_whole_labels({"metadata.csv": parse_metadata(table.encode(), "metadata.csv")})
    assert [row.label for row in files["metadata.csv"].rows.values()] == wanted


def test_metadata_files_of_a_dataset_share_class_names() -> None:
    def parsed(**labels: str) -> Metadata:
        lines = "".join(f"{name}.jpg,{label}\n" for name, label in labels.items())
        return parse_metadata(f"file_name,label\n{lines}".encode(), "metadata.csv")

    def labels(**files: Metadata) -> dict[str, list[str | None]]:
        found = with_whole_labels(files)
        return {name: [row.label for row in one.rows.values()] for name, one in found.items()}

    train = parsed(a="1.0", b="", c="2.0")
    assert labels(train=train, test=parsed(a="1")) == {"train": ["1", None, "2"], "test": ["1"]}
    assert labels(train=train, test=parsed(a="1.5")) == {
        "train": ["1.0", None, "2.0"], "test": ["1.5"],
    }  # fmt: skip
