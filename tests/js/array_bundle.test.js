import assert from "node:assert/strict";
import { test } from "node:test";

import { unpack } from "../../app/shell/array_bundle.js";

const packed = (meta, arrays) => {
  const header = { meta, arrays: [] };
  let at = 0;
  for (const [name, type, array] of arrays) {
    header.arrays.push({ name, type, at, length: array.length });
    at += Math.ceil(array.byteLength / 8) * 8;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const start = Math.ceil((8 + text.length) / 8) * 8;
  const buffer = new ArrayBuffer(start + at);
  new Uint8Array(buffer).set(new TextEncoder().encode("VCB1"));
  new DataView(buffer).setUint32(4, text.length, true);
  new Uint8Array(buffer).set(text, 8);
  arrays.forEach(([, , array], k) =>
    new Uint8Array(buffer).set(new Uint8Array(array.buffer), start + header.arrays[k].at));
  return buffer;
};

test("arrays and their JSON come out as they were packed", () => {
  const found = unpack(packed({ run: 7 }, [
    ["ids", "int32", Int32Array.of(5, 6, 7)], ["xy", "float32", Float32Array.of(0.5, -1)],
  ]));
  assert.deepEqual(found.meta, { run: 7 });
  assert.deepEqual([...found.ids], [5, 6, 7]);
  assert.deepEqual([...found.xy], [0.5, -1]);
});

test("other bytes are refused", () => {
  assert.throws(() => unpack(new ArrayBuffer(4)), /Reload the page/);
  assert.throws(() => unpack(new TextEncoder().encode("<html>, not a bundle").buffer), /Reload the page/);
});
