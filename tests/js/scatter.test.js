import assert from "node:assert/strict";
import { test } from "node:test";

import { PointIndex, bounds, fit, pixel } from "../../app/shell/scatter.js";

const XY = Float32Array.of(0, 0, 4, 2, -1, 1);

test("bounds hold all points, and no points have some", () => {
  assert.deepEqual(bounds(XY), { left: -1, right: 4, bottom: 0, top: 2 });
  assert.deepEqual(bounds(new Float32Array(0)), { left: -1, right: 1, bottom: -1, top: 1 });
});

test("a fitted view centers the box and keeps the margin", () => {
  assert.deepEqual(fit(bounds(XY), 120, 1000, 10), { cx: 1.5, cy: 1, scale: 20 });
  assert.equal(fit({ left: 2, right: 2, bottom: 3, top: 3 }, 100, 50).scale, 50); // a single point
});

test("a color becomes a little-endian pixel", () => {
  assert.equal(pixel("#010203"), 0xff030201);
});

test("the nearest point is the same as by comparing all", () => {
  let seed = 3;
  const random = () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  const xy = Float32Array.from({ length: 2000 }, random);
  const index = new PointIndex(xy);
  const even = (row) => row % 2 === 0;
  for (let k = 0; k < 50; k++) {
    const [x, y] = [random(), random()];
    let [best, least] = [-1, 0.05 ** 2];
    for (let row = 0; row < 1000; row += 2) {
      const distance = (xy[2 * row] - x) ** 2 + (xy[2 * row + 1] - y) ** 2;
      if (distance < least) [best, least] = [row, distance];
    }
    assert.equal(index.nearest(x, y, 0.05, even), best);
  }
  assert.equal(index.nearest(9, 9, 0.1), -1);
});
