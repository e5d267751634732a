import assert from "node:assert/strict";
import { test } from "node:test";

import { Task } from "../../app/label/task.js";

const taskOf = (...labels) => {
  const task = new Task();
  task.update({ classes: ["Cat", "dog", "catfish"], images: labels.map((label, id) => ({ id, label })) });
  return task;
};

test("a task opens at the image of the address, else at the first unlabeled one", () => {
  const task = taskOf(0, null, null);
  task.open(2);
  assert.equal(task.image.id, 2);
  task.open(99);
  assert.equal(task.image.id, 1);
});

test("a label moves on to the next unlabeled image, a removed one stays", () => {
  const task = taskOf(null, 1, null);
  task.filter = "cat";
  assert.deepEqual(task.label({ 0: 2 }, true), { 0: null, 1: 1, 2: null });
  assert.equal(task.image.id, 2);
  assert.equal(task.filter, "");
  task.label({ 2: null }, true);
  assert.equal(task.image.id, 2);
  task.label({ 2: 0 }, true); // the last one
  assert.equal(task.image.id, 2);
  assert.equal(task.unlabeled, 0);
});

test("skipped images come last", () => {
  const task = taskOf(null, null, null);
  task.skip();
  assert.equal(task.index, 1);
  task.label({ 1: 0 }, true);
  assert.equal(task.index, 2);
  task.label({ 2: 0 }, true);
  assert.equal(task.index, 0);
});

test("moving is cyclic", () => {
  const task = taskOf(null, null);
  task.move(-1);
  assert.equal(task.index, 1);
  task.move(1);
  assert.equal(task.index, 0);
});

test("the filter ignores case and keeps the order of the classes", () => {
  const task = taskOf(null);
  task.filter = " CAT ";
  assert.deepEqual(task.matches, [{ name: "Cat", index: 0 }, { name: "catfish", index: 2 }]);
});

test("only unlabeled images have a suggestion", () => {
  const task = taskOf(null, 1, null);
  task.suggestions.set(0, { label: 1 }).set(1, { label: 1 });
  assert.deepEqual(task.suggestion(task.images[0]), { label: 1 });
  assert.equal(task.suggestion(task.images[1]), undefined);
  assert.deepEqual(task.unsuggested, [2]);
});

test("the pace needs some labels, and forgets old ones", () => {
  const task = taskOf(null, null, null, null, null, null);
  task.label({ 0: 0 }, true, 0);
  task.label({ 1: 0 }, true, 5000);
  assert.equal(task.pace(10_000), "");
  task.label({ 2: 0 }, true, 10_000);
  assert.equal(task.pace(15_000), " · 12 per minute, about 15 s left");
  assert.equal(task.pace(900_000), "");
});

const shown = (task) => task.images.map(({ id }) => id);

test("the learned order moves only what comes after the current image", () => {
  const task = taskOf(1, null, null, null, null);
  task.open(1);
  task.reorder([4, 2]);
  assert.deepEqual(shown(task), [0, 1, 4, 2, 3]);
  assert.equal(task.image.id, 1);
  task.label({ 1: 0 }, true);
  assert.equal(task.image.id, 4);
  task.reorder([3, 2]);
  assert.deepEqual(shown(task), [0, 1, 4, 3, 2]);
  task.move(-1); // back to the one just labeled
  task.reorder([2, 3, 4]);
  assert.equal(task.image.id, 1);
  assert.deepEqual(shown(task), [0, 1, 2, 3, 4]);
});

test("skipped images stay before the current one, and come last", () => {
  const task = taskOf(null, null, null);
  task.open(0);
  task.skip();
  task.reorder([2, 0]);
  assert.deepEqual(shown(task), [0, 1, 2]);
  task.label({ 1: 0 }, true);
  task.label({ 2: 0 }, true);
  assert.equal(task.image.id, 0);
});

test("the order of the selection can be restored", () => {
  const task = taskOf(null, null, null);
  task.open(1);
  task.reorder([2, 0]);
  assert.deepEqual(shown(task), [1, 2, 0]);
  task.restoreOrder();
  assert.deepEqual(shown(task), [0, 1, 2]);
  assert.equal(task.image.id, 1);
});

test("the next images for suggestions begin at the current one", () => {
  const task = taskOf(null, 1, null, null);
  task.open(2);
  assert.deepEqual(task.upcoming(2), [2, 3]);
  assert.deepEqual(task.upcoming(9), [2, 3, 0]);
});

test("an answer updates suggestions and accuracy", () => {
  const task = taskOf(null, null);
  task.learn({ suggestions: [[1, 2, 0.5]], accuracy: { value: 0.5 }, learned: 7 });
  assert.deepEqual(task.suggestion(task.images[1]), { label: 2, confidence: 0.5 });
  assert.equal(task.learned, 7);
});

test("a refreshed task keeps its current image", () => {
  const task = taskOf(null, null, null);
  task.open(2);
  task.reorder([1]);
  task.update({ classes: ["a", "b"], images: [0, 1, 2].map((id) => ({ id, label: null })) });
  assert.equal(task.image.id, 2);
});
