"""The recipe of a table."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from fanfold.fields import Chunk, KindRecipe, Share, Strict


def _one_character(text: str) -> str:
    if len(text) != 1 or text in "\r\n" or not text.isascii():
        raise ValueError("one ASCII character that is no line end")
    return text


_TYPE = re.compile(r"text|integer|float|boolean|date|timestamp|decimal\((\d+),\s*(\d+)\)")


def _column_type(text: str) -> str:
    match = _TYPE.fullmatch(text)
    if match is None:
        raise ValueError("a type is text, integer, decimal(p,s), float, boolean, date or timestamp")
    if match[1] and not (1 <= int(match[1]) <= 38 and int(match[2]) <= int(match[1])):
        raise ValueError("decimal(p,s) has p from 1 to 38 and s from 0 to p")
    return text.replace(" ", "")


def _pointer(text: str) -> str:
    if not re.fullmatch(r"(?:/(?:[^~/]|~[01])*)*", text):
        raise ValueError("a JSON Pointer (RFC 6901) such as /data/items; in a name ~1 stands for / and ~0 for ~")
    return text


Character = Annotated[str, AfterValidator(_one_character)]
Pointer = Annotated[str, AfterValidator(_pointer)]
ColumnType = Annotated[str, AfterValidator(_column_type)]


class Clean(Strict):
    """What is done to every cell before its type is read."""

    trim: bool = True
    empty_as_null: bool = True
    null_values: tuple[str, ...] = Field(default=(), strict=False)


class Index(Strict):
    """Which columns make the keys of the records in DynamoDB."""

    partition: str
    sort: str | None = None


class Total(Strict):
    """A sum kept per value of another column."""

    by: str
    sum: str


class Parquet(Strict):
    """How Parquet is written."""

    files: Literal["one", "many"] = "one"


class TableRecipe(KindRecipe):
    """How a table is read, cleaned, written and indexed."""

    how: ClassVar[frozenset[str]] = KindRecipe.how | {"rejects", "chunk"}

    chunk: Chunk = "auto"
    format: Literal["auto", "csv", "json", "jsonl"] = "auto"
    delimiter: Literal["auto"] | Character = "auto"
    quote: Character | None = '"'
    escape: Character | None = None
    doubled_quote: bool = True
    skip_initial_space: bool = False
    header: bool = True
    encoding: str = "auto"
    records: Pointer = ""
    columns: Literal["auto", "text"] | dict[str, ColumnType] = "auto"
    clean: Clean = Clean()
    rejects: Share = "0%"
    output: Literal["parquet", "jsonl", "csv"] = "jsonl"
    parquet: Parquet = Parquet()
    index: Index | None = None
    totals: tuple[Total, ...] = Field(default=(), strict=False)

    @model_validator(mode="after")
    def _records_are_json(self) -> Self:
        if self.records and self.format not in ("auto", "json"):
            raise ValueError(f"`records` is for JSON, and `format` is {self.format}")
        return self

    @model_validator(mode="after")
    def _totals_have_records(self) -> Self:
        if self.totals and self.index is None:
            raise ValueError("`totals` needs `index`: they are the totals of the indexed rows")
        return self

    @model_validator(mode="after")
    def _parquet_is_written(self) -> Self:
        if self.parquet != Parquet() and self.output != "parquet":
            raise ValueError(f"`parquet` needs `output: parquet` (given {self.output})")
        return self
