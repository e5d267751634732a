import assert from "node:assert/strict";
import { test } from "node:test";

import { parameters } from "../../app/shell/address.js";

const read = (search) => {
  globalThis.location = { search };
  return Object.fromEntries(parameters());
};

test("parameters are read from the address", () => {
  assert.deepEqual(read("?dataset=1&color=round"), { dataset: "1", color: "round" });
});

test("bookmarks of earlier versions keep their choice", () => {
  assert.deepEqual(read("?dataset=1&colour=round"), { dataset: "1", color: "round" });
  assert.deepEqual(read("?pick=7&image=8"), { image: "8" });
});
