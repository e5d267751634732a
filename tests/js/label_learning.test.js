import assert from "node:assert/strict";
import { test } from "node:test";

import { Learning } from "../../app/label/learning.js";

const turn = () => new Promise((done) => setImmediate(done));
const answer = { suggestions: [[1, 0, 0.9]], order: [1], learned: 1, accuracy: null, labels: {} };

const learning = ({ classes = ["a", "b"], wanted = () => [1] } = {}) => {
  const asked = [], seen = [], waits = [];
  const task = { classes, suggestions: new Map() };
  const made = new Learning(task, {
    wanted,
    ask: (ids) => new Promise((accept, refuse) => asked.push({ ids, accept, refuse })),
    onChange: (...what) => seen.push(what),
    connected: () => true,
  }, (time) => new Promise((done) => waits.push({ time, done })));
  return { made, asked, seen, waits };
};

test("labels during a request lead to one more request", async () => {
  const { made, asked, seen } = learning();
  const done = made.update();
  made.update();
  made.update();
  assert.equal(asked.length, 1);
  asked[0].accept(answer);
  await turn();
  assert.equal(asked.length, 2);
  asked[1].accept(answer);
  await done;
  assert.equal(asked.length, 2);
  assert.deepEqual(seen.filter(([one]) => one).map(([one, ids]) => [one.learned, ids]), [[1, [1]], [1, [1]]]);
});

test("when every image is labeled, no suggestions are announced", async () => {
  const { made, asked, seen } = learning({ wanted: () => [] });
  const done = made.update();
  assert.equal(made.status, "");
  asked[0].accept(answer); // with the accuracy
  await done;
  assert.deepEqual(seen, [[answer, []]]);
});

test("one class is not enough", async () => {
  const { made, asked } = learning({ classes: ["a"] });
  await made.update();
  assert.equal(asked.length, 0);
  assert.match(made.status, /two classes/);
});

test("while the server is not ready, it is asked again later", async () => {
  const { made, asked, waits } = learning();
  made.update();
  asked[0].refuse(Object.assign(new Error("Images have no embeddings yet."), { status: 503 }));
  await turn();
  assert.match(made.status, /no embeddings yet.*label without them/);
  assert.ok(made.canRetry);
  waits[0].done();
  await turn();
  asked[1].accept(answer);
  await turn();
  assert.equal(made.status, "");
  assert.ok(!made.canRetry);
});

test("other errors are shown and not repeated", async () => {
  const { made, asked, waits } = learning();
  const done = made.update();
  asked[0].refuse(Object.assign(new Error("Not found."), { status: 404 }));
  await done;
  assert.match(made.status, /Not found/);
  assert.equal(waits.length, 0);
});
