/* Names of classes on the map stand beside their points, and never over each other. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { density, placeNames } from "../../app/explore/names.js";

const SIZE = [800, 600];
const covers = (name, points) => points.filter(([x, y]) =>
  Math.abs(x - name.px) < name.half && Math.abs(y - name.py) < name.high).length;

test("a name moves off a dense cluster", () => {
  const points = Array.from({ length: 400 }, (_, k) => [380 + (k % 20) * 2, 280 + Math.floor(k / 20) * 2]);
  const dense = density(points.length, (k) => points[k], SIZE);
  const [placed] = placeNames([{ x: 400, y: 300, half: 40, high: 10 }], dense, SIZE);
  assert.equal(covers(placed, points), 0);
  assert.ok(Math.hypot(placed.px - 400, placed.py - 300) < 150);
});

test("names of the same place do not cover each other, and stay on the canvas", () => {
  const names = Array.from({ length: 5 }, () => ({ x: 10, y: 5, half: 40, high: 10 }));
  const placed = placeNames(names, density(0, null, SIZE), SIZE);
  for (const [k, one] of placed.entries()) {
    assert.ok(one.px >= one.half && one.py >= one.high);
    for (const other of placed.slice(k + 1))
      assert.ok(Math.abs(one.px - other.px) >= 80 || Math.abs(one.py - other.py) >= 20);
  }
});
