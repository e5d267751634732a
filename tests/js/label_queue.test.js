import assert from "node:assert/strict";
import { test } from "node:test";

import { LabelQueue } from "../../app/label/queue.js";

/* The browser's storage. */
const memory = () => {
  const kept = new Map();
  return {
    getJson: (key) => JSON.parse(kept.get(key) ?? "null"),
    setJson: (key, value) => kept.set(key, JSON.stringify(value)),
    remove: (key) => kept.delete(key),
  };
};

/* A server that answers with these statuses (0: no answer) in turn, then with 200. */
const server = (...statuses) => {
  const sent = [];
  const answer = async (request, value) => {
    sent.push(request);
    const status = statuses.length ? statuses.shift() : 200;
    if (status !== 200) throw Object.assign(new Error("No."), { status });
    return value;
  };
  return { sent, save: (values) => answer(values), undo: () => answer("undo", { 1: null }), statuses };
};

const queueOn = (found, storage = memory(), key = "q") => {
  const changes = [];
  const queue = new LabelQueue(key, found, (...change) => changes.push(change), { storage, wait: async () => {} });
  return { queue, changes, storage };
};

/* How many requests would be sent after a reload. */
const kept = (storage, key = "q") => storage.getJson(key)?.length ?? 0;

for (const status of [0, 408, 421, 429, 500])
  test(`a label is sent again after the answer ${status}`, async () => {
    const found = server(status);
    const { queue, changes, storage } = queueOn(found);
    queue.put({ 1: 0 });
    assert.equal(kept(storage), 1);
    await queue.flush();
    assert.deepEqual(found.sent, [{ 1: 0 }, { 1: 0 }]);
    assert.match(changes[0][1], /Retrying in 1 s/);
    assert.equal(kept(storage), 0);
  });

test("the pauses between retries grow up to a limit", async () => {
  const pauses = [];
  const queue = new LabelQueue("q", server(...Array(7).fill(500)), () => {},
    { storage: memory(), wait: async (seconds) => pauses.push(seconds) });
  queue.put({ 1: 0 });
  await queue.flush();
  assert.deepEqual(pauses, [1, 2, 4, 8, 15, 15, 15]);
});

test("a refused label does not block the next one", async () => {
  const found = server(400);
  const { queue, changes } = queueOn(found);
  queue.put({ 1: 0 });
  queue.put({ 2: 1 });
  await queue.flush();
  assert.deepEqual(found.sent, [{ 1: 0 }, { 2: 1 }]);
  assert.deepEqual(changes[0], [1, "No.", { refused: true }]);
});

test("labels wait for the next login of the user who gave them", async () => {
  const storage = memory();
  const { queue } = queueOn(server(...Array(9).fill(401)), storage, "anna");
  queue.put({ 1: 0 });
  await queue.flush();
  queue.put({ 2: 1 });
  await queue.flush();
  assert.deepEqual(queue.waiting, [{ 1: 0 }, { 2: 1 }]);
  assert.equal(queueOn(server(), storage, "bob").queue.waiting.length, 0);

  const found = server();
  const again = queueOn(found, storage, "anna").queue;
  await again.flush();
  assert.deepEqual(found.sent, [{ 1: 0 }, { 2: 1 }]);
  assert.equal(kept(storage, "anna"), 0);
});

test("many labels are sent in parts and undone together", async () => {
  const values = Object.fromEntries(Array.from({ length: 12_001 }, (_, i) => [i + 1, i % 3]));
  const found = server();
  const { queue } = queueOn(found);
  queue.put(values);
  await queue.flush();
  assert.deepEqual(found.sent.map((part) => Object.keys(part).length), [5000, 5000, 2001]);
  assert.deepEqual(Object.assign({}, ...found.sent), values);

  found.statuses.push(200, 200, 400); // the last part of the second batch is refused
  queue.put({ 0: 1 });
  queue.put(values);
  await queue.flush();
  found.sent.length = 0;
  queue.undo();
  await queue.flush();
  assert.deepEqual(found.sent, ["undo", "undo"]);

  found.sent.length = 0;
  queue.put(values);
  assert.equal(Object.keys(queue.undo()).length, 12_001);
  await queue.flush();
  assert.equal(found.sent.length, 2); // the part that was on its way, and its undo
  assert.equal(found.sent[1], "undo");
});

test("undo follows the label that it undoes", async () => {
  const found = server(500);
  const { queue, changes } = queueOn(found);
  queue.put({ 1: 0 }, { 1: 5 });
  queue.put({ 2: 1 }, { 2: null });
  assert.deepEqual(queue.undo(), { 2: null }); // not sent yet: dropped
  assert.deepEqual(queue.undo(), { 1: 5 }); // on its way: the undo waits behind it
  queue.put({ 3: 2 });
  await queue.flush();
  assert.deepEqual(found.sent, [{ 1: 0 }, { 1: 0 }, "undo", { 3: 2 }]);
  assert.deepEqual(changes.at(-2), [1, "", { undone: { 1: null }, shown: true }]);
});

test("a refused label leaves its undo nothing to do", async () => {
  const found = server(400);
  const { queue } = queueOn(found);
  queue.put({ 1: 0 });
  queue.undo();
  await queue.flush();
  assert.deepEqual(found.sent, [{ 1: 0 }]);
});

test("an undo that got no answer is not sent again", async () => {
  const found = server(200, 0);
  const { queue, changes, storage } = queueOn(found);
  queue.put({ 1: 0 });
  await queue.flush();
  queue.undo();
  assert.equal(kept(storage), 0); // not even after a reload
  await queue.flush();
  assert.deepEqual(found.sent, [{ 1: 0 }, "undo"]);
  assert.match(changes.at(-1)[1], /was not undone/);
});
