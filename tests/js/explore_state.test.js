import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { State } from "../../app/explore/state.js";

const START = {
  dataset: { id: 3, name: "pets", classes: ["cat", "dog"] }, runs: [], subsets: [],
  map: { ready: [], state: "none", ended: false }, idle: null,
};
const COLUMNS = {
  meta: { revision: 1, classes: ["cat", "dog"] },
  ids: Float64Array.of(10, 11, 12, 13), labels: Int16Array.of(0, 1, -1, 1),
  splits: Uint8Array.of(0, 0, 0, 2), excluded: Uint8Array.of(0, 1, 0, 0), captioned: new Uint8Array(4),
};
const shown = () => [...state.order].map((row) => state.ids[row]);
let state = null;
beforeEach(() => {
  state = new State(START, COLUMNS);
});

test("without filters every image is shown", () => {
  assert.deepEqual(shown(), [10, 11, 12, 13]);
  assert.equal(state.filtered, false);
});

test("filters combine, and clearing them shows every image again", () => {
  state.filter({ labeled: "yes" });
  assert.deepEqual(shown(), [10, 11, 13]);
  state.filter({ pool: "pool" });
  assert.deepEqual(shown(), [10]);
  state.clearFilters();
  assert.deepEqual(shown(), [10, 11, 12, 13]);
});

test("a prediction is correct or wrong only for labeled images", () => {
  state.values = { predicted: Int16Array.of(0, 0, 1, 1) };
  state.filter({ prediction: "correct" });
  assert.deepEqual(shown(), [10, 13]);
  state.filter({ prediction: "wrong" });
  assert.deepEqual(shown(), [11]);
});

test("a range leaves out unknown values, and an open end limits nothing", () => {
  state.values = { loss: Float32Array.of(0.5, 2, NaN, 3) };
  state.filter({ loss: [1, null] });
  assert.deepEqual(shown(), [11, 13]);
  state.filter({ loss: [null, 2] });
  assert.deepEqual(shown(), [10, 11]);
});

test("a run's rounds filter by any round or by one", () => {
  state.values = { round: Uint8Array.of(0, 1, 2, 0) };
  state.filter({ round: "selected" });
  assert.deepEqual(shown(), [11, 12]);
  state.filter({ round: "2" });
  assert.deepEqual(shown(), [12]);
});

test("actions change the selected images, or else those inside the lasso", () => {
  assert.equal(state.targets().length, 0);
  state.setRegion(state.flags([1, 2]));
  assert.deepEqual([...state.targets()], [1, 2]);
  state.select([3]);
  assert.deepEqual([...state.targets()], [3]);
  assert.equal(state.selectedCount, 1);
});

test("an id leads to its row", () => {
  assert.equal(state.rowOf(12), 2);
  assert.equal(state.rowOf(99), -1);
});

test("the highest loss comes first, unknown ones last", () => {
  state.values = { loss: Float32Array.of(0.5, 2, NaN, 3) };
  state.sortBy("loss");
  assert.deepEqual(shown(), [13, 11, 10, 12]);
});

test("listeners hear only their topics", () => {
  const heard = [];
  state.on("pin hover", () => heard.push("pointer"));
  state.pin(2);
  state.pin(2); // no change
  state.hover(1);
  state.select([0]);
  assert.deepEqual(heard, ["pointer", "pointer"]);
});
