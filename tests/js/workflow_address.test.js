import assert from "node:assert/strict";
import { test } from "node:test";

import { asked, leadsHere } from "../../app/shell/workflow_address.js";

const of = (path, search, last = null) => asked(path, new URLSearchParams(search), last);

test("the address names the dataset, or what belongs to it", () => {
  assert.equal(of("/explore", "dataset=3&run=2", 9), "dataset=3");
  assert.equal(of("/runs", "run=2", 9), "run=2");
  assert.equal(of("/label", "subset=5", 9), "subset=5");
  assert.equal(of("/finetune", "clone=4", 9), "run=4");
});

test("other addresses of a page about a dataset mean the last one", () => {
  assert.equal(of("/select", "", 9), "dataset=9");
  assert.equal(of("/select", "dataset=x"), "");
});

test("lists are about no dataset", () => {
  for (const path of ["/", "/runs", "/compare"]) assert.equal(of(path, "", 9), null);
  assert.equal(of("/compare", "dataset=1"), null);
});

test("a button that leads to this page is left out", () => {
  const here = (search) => leadsHere({ pathname: "/runs", search: "?run=5" }, "/runs", new URLSearchParams(search));
  assert.ok(here("run=5&round=1"));
  assert.ok(!here("run=4"));
  assert.ok(leadsHere({ pathname: "/select", search: "?dataset=1" }, "/select", new URLSearchParams("")));
  assert.ok(!leadsHere({ pathname: "/select", search: "?dataset=1" }, "/label", new URLSearchParams("dataset=1")));
});
