"""Recipes: what is accepted, and how what is wrong is named."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanfold import fields, recipes
from fanfold.errors import RecipeError, UnknownRecipe


def text(fields: str) -> str:
    return f"version: 1\nrecipes:\n  orders:\n    table: {{{fields}}}\n"


def test_the_whole_of_a_table_recipe_is_read() -> None:
    found = recipes.read(
        text(
            "chunk: 64MiB, format: csv, delimiter: ';', quote: null, escape: '\\', header: false, encoding: latin-1,"
            "columns: {a: 'decimal(10, 2)', b: date}, clean: {trim: false, empty_as_null: false, null_values: [NA]},"
            "rejects: 0.5%, output: parquet, index: {partition: a, sort: b}, totals: [{by: a, sum: b}],"
            "concurrency: 7, tolerate: 2%"
        )
    ).get("orders")
    body = found.table
    assert (found.kind, body.chunk, body.columns) == ("table", 64 << 20, {"a": "decimal(10,2)", "b": "date"})
    assert (body.concurrency, body.tolerate, body.rejects) == (7, "2%", "0.5%")


@pytest.mark.parametrize(
    ("fields", "path", "given_value"),
    [
        ("chunk: 0", "recipes.orders.table.chunk", "0"),
        ("chunk: 5 parsecs", "recipes.orders.table.chunk", "'5 parsecs'"),
        ("chunk: true", "recipes.orders.table.chunk", "True"),
        ("tolerate: 5", "recipes.orders.table.tolerate", "5"),
        ("rejects: 101%", "recipes.orders.table.rejects", "'101%'"),
        ("delimiter: ab", "recipes.orders.table.delimiter", "'ab'"),
        ('quote: "\\n"', "recipes.orders.table.quote", "'\\n'"),
        ("columns: {a: int}", "recipes.orders.table.columns.a", "'int'"),
        ("columns: {a: 'decimal(39,0)'}", "recipes.orders.table.columns.a", "'decimal(39,0)'"),
        ("output: xlsx", "recipes.orders.table.output", "'xlsx'"),
        ("concurrency: 0", "recipes.orders.table.concurrency", "0"),
        ("header: 1", "recipes.orders.table.header", "1"),
        ("index: {sort: a}", "recipes.orders.table.index.partition", ""),
        ("totals: [{by: a, sum: b}]", "recipes.orders.table: `totals` needs `index`", "'totals'"),
        ("delimeter: ','", "recipes.orders.table.delimeter", "','"),
    ],
)
def test_a_wrong_field_is_named_with_its_path_and_what_was_given(fields: str, path: str, given_value: str) -> None:
    with pytest.raises(RecipeError) as error:
        recipes.read(text(fields))
    message = str(error.value)
    assert path in message
    assert given_value in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "broken", ["a: [", "[]", "", "version: 2", "version: 1\nrecipes: {'a b': {table: {}}}", b"\xff"]
)
def test_a_file_that_is_no_file_of_recipes_is_refused_in_one_line(broken: str | bytes) -> None:
    with pytest.raises(RecipeError) as error:
        recipes.read(broken, origin="mine.yaml")
    assert str(error.value).startswith("mine.yaml")
    assert "\n" not in str(error.value)


def test_a_name_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(UnknownRecipe, match=r"'missing'.*orders"):
        recipes.read(text("")).get("missing")


@pytest.mark.parametrize(("kind", "why"), [("image", "every level"), ("video", "without a segment")])
def test_what_is_seen_has_no_hole(kind: str, why: str) -> None:
    asked = "version: 1\nrecipes:\n  whole:\n    {}: {{tolerate: {}}}\n"
    assert recipes.read(asked.format(kind, "0.0%")).get("whole").body.tolerate == "0.0%"
    for share in ("0.5%", "100%"):
        with pytest.raises(RecipeError, match=f"no failed chunk is tolerated here: {why}.*replay a job that fails"):
            recipes.read(asked.format(kind, share))


def test_a_recipe_survives_the_journey_through_json_with_the_same_digest() -> None:
    fields = "clean: {null_values: [NA]}, index: {partition: a}, totals: [{by: a, sum: b}]"
    found = recipes.read(text(fields)).get("orders")
    again = recipes.recipe(found.to_json())
    assert again == found
    assert again.digest() == found.digest()


def test_how_the_work_is_run_does_not_change_what_a_part_is() -> None:
    plain = recipes.read(text("")).get("orders")
    hurried = recipes.read(text("concurrency: 500, tolerate: 5%, rejects: 3%, chunk: 1MiB")).get("orders")
    typed = recipes.read(text("columns: text")).get("orders")
    assert hurried.body.essence() == plain.body.essence() != typed.body.essence()
    assert hurried.digest() != plain.digest()


@given(st.integers(0, 10_000), st.integers(0, 10**6))
def test_a_share_allows_its_part_of_a_count_rounded_down(hundredths: int, count: int) -> None:
    share = f"{hundredths // 100}.{hundredths % 100:02}%"
    assert fields.allowed(share, count) == (Fraction(hundredths, 10_000) * count).__floor__()


@pytest.mark.parametrize(
    ("image", "path", "given_value"),
    [
        ("renditions: [{name: a}]", "recipes.p.image.renditions.0: a rendition has `width`", "'a'"),
        ("renditions: [{name: a, width: 0}]", "recipes.p.image.renditions.0.width", "0"),
        ("renditions: [{name: a/b, width: 9}]", "recipes.p.image.renditions.0.name", "'a/b'"),
        ("renditions: [{name: .., width: 9}]", "recipes.p.image.renditions.0.name", "'..'"),
        ("renditions: [{name: Tiles, width: 9}]", "recipes.p.image: a rendition cannot be called 'Tiles'", ""),
        (
            "renditions: [{name: a, width: 9}, {name: A, width: 8}]",
            "recipes.p.image: two renditions are called 'A'",
            "",
        ),
        ("renditions: [{name: a, width: 9, fit: cover}]", "`fit: cover` needs `width` and `height`", ""),
        ("renditions: [{name: a, width: 9, format: gif}]", "recipes.p.image.renditions.0.format", "'gif'"),
        ("tiles: {size: 63}", "recipes.p.image.tiles.size", "63"),
        ("tiles: {size: 64, overlap: 33}", "recipes.p.image.tiles: `overlap` is at most half of `size`, here 32", ""),
        ("convert: {format: jpeg, quality: 101}", "recipes.p.image.convert.quality", "101"),
        ("convert: {}", "recipes.p.image.convert.format", ""),
        ("pixels: 0", "recipes.p.image.pixels", "0"),
        ("rotate: 90", "recipes.p.image.rotate", "90"),
    ],
)
def test_a_wrong_field_of_an_image_is_named(image: str, path: str, given_value: str) -> None:
    with pytest.raises(RecipeError) as error:
        recipes.read(f"version: 1\nrecipes:\n  p:\n    image: {{{image}}}\n")
    assert path in str(error.value)
    assert given_value in str(error.value)


def test_a_recipe_is_of_one_kind() -> None:
    with pytest.raises(RecipeError, match=r"exactly one kind of .*image.*; here are 2"):
        recipes.read("version: 1\nrecipes:\n  p: {image: {}, table: {}}\n")
