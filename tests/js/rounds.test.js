/* Rows by round, and the caption of the map. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { byRound, caption } from "../../app/runs/rounds.js";

const ROUNDS = Uint8Array.from([0, 1, 2, 1, 3]);

test("a round splits the rows into its own, earlier ones and others", () => {
  assert.deepEqual(byRound(ROUNDS, 2), { current: [2], earlier: [1, 3], others: [0, 4] });
  assert.deepEqual(byRound(ROUNDS, 0), { current: [], earlier: [], others: [0, 1, 2, 3, 4] });
});

test("the caption counts images", () => {
  assert.equal(caption(byRound(ROUNDS, 2), 2),
    "Round 2 selected 1 image (orange). Earlier rounds selected 2 (blue). The map shows 5 images.");
  assert.equal(caption(byRound(ROUNDS, 0), 0), "5 images, none selected yet.");
  assert.equal(caption(byRound(new Uint8Array(1007), 0), 0), "1,007 images, none selected yet.");
});
