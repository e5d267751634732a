import assert from "node:assert/strict";
import { test } from "node:test";

import { summary } from "../../app/label/label_studio.js";

test("an upload reports labeled images, and tasks without a label", () => {
  assert.equal(summary({ labeled: 1, skipped: 0 }), "1 image labeled.");
  assert.equal(summary({ labeled: 1200, skipped: 2 }), "1,200 images labeled. 2 tasks had no label.");
});
