import assert from "node:assert/strict";
import { test } from "node:test";

import { bytes, count, duration } from "../../app/shell/words.js";

test("a count has the right number and separators", () => {
  assert.equal(count(1, "image"), "1 image");
  assert.equal(count(1200, "image"), "1,200 images");
  assert.equal(count(2, "class", "classes"), "2 classes");
});

test("a duration is rounded to its largest unit", () => {
  assert.equal(duration(0.2), "1 s");
  assert.equal(duration(59.4), "59 s");
  assert.equal(duration(180), "3 min");
  assert.equal(duration(5400), "1.5 h");
});

test("bytes are shown in the largest unit", () => {
  assert.equal(bytes(340), "340 B");
  assert.equal(bytes(1_200_000), "1.2 MB");
  assert.equal(bytes(2.5e9), "2.5 GB");
});
