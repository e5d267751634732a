import assert from "node:assert/strict";
import { test } from "node:test";

import { movedPlaces, shuffled, sorted } from "../../app/explore/order.js";
import { packBits, unpackBits } from "../../app/explore/saved_view.js";

test("rows are sorted by value, unknown ones last", () => {
  const values = Float32Array.of(3, NaN, -2, 0, 1e9, -0.5);
  const rows = Uint32Array.of(0, 1, 2, 3, 4, 5);
  assert.deepEqual([...sorted(rows, values)], [2, 5, 3, 0, 4, 1]);
  assert.deepEqual([...sorted(rows, values, true)], [4, 0, 3, 5, 2, 1]);
  assert.deepEqual([...sorted(Uint32Array.of(4, 2), values)], [2, 4]);
});

test("a shuffle holds every row once and is the same each time", () => {
  const rows = shuffled(1000);
  assert.deepEqual([...rows].sort((a, b) => a - b), [...Array(1000).keys()]);
  assert.deepEqual(rows, shuffled(1000));
  assert.notDeepEqual(rows, shuffled(1000, 2));
});

test("places move where rows were removed, and nowhere in another order", () => {
  assert.deepEqual([...movedPlaces([5, 6, 7, 8], [5, 7, 8])], [0, 1, 1, 2]);
  assert.deepEqual([...movedPlaces([5, 6], [5, 6])], [0, 1]);
  assert.equal(movedPlaces([5, 6, 7], [7, 5]), null);
});

test("flags survive being stored as text", () => {
  for (const n of [0, 1, 8, 13, 100]) {
    const flags = Uint8Array.from({ length: n }, (_, i) => (i * i) % 3 === 1);
    assert.deepEqual(unpackBits(packBits(flags), n), flags);
  }
});
