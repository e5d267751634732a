import assert from "node:assert/strict";
import { test } from "node:test";

import { paint } from "../../app/explore/colors.js";
import { State } from "../../app/explore/state.js";

const START = {
  dataset: { id: 3, name: "pets", classes: ["cat", "dog"] }, runs: [], subsets: [],
  map: { ready: [], state: "none", ended: false }, idle: null,
};
const COLUMNS = {
  meta: { revision: 1, classes: ["cat", "dog"] },
  ids: Float64Array.of(10, 11, 12), labels: Int16Array.of(0, 1, 1),
  splits: Uint8Array.of(0, 0, 2), excluded: new Uint8Array(3), captioned: new Uint8Array(3),
};
const VALUES = { predicted: Int16Array.of(0, 0, 1), round: Uint8Array.of(0, 1, 2) };
const ALONE = "Click to show only this. Click again to show all.";

for (const [color, hint, shownAfter] of [
  ["class", "Click to hide or show. Alt-click or double-click to show only this.", 2],
  ["split", "Click to hide or show. Alt-click or double-click to show only this.", 1],
  ["prediction", ALONE, 1], ["round", ALONE, 1],
])
  test(`the hint of the legend says what a click does: ${color}`, () => {
    const state = new State(START, COLUMNS);
    Object.assign(state, { color, values: VALUES });
    const entry = paint(state).entries.find(({ toggle }) => toggle);
    assert.equal(entry.hint, hint);
    entry.toggle(false);
    assert.equal(state.order.length, shownAfter);
    entry.toggle(false);
    assert.equal(state.order.length, 3);
  });
