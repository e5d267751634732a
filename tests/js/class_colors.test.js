/* A class has the same color where the server draws it and where the browser does. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { classColor } from "../../app/shell/class_colors.js";

test("Python and JavaScript give each class the same color", () => {
  const program = "import json; from app.shell.class_colors import class_color; print(json.dumps([class_color(i) for i in range(-1, 120)]))";
  const colors = JSON.parse(execFileSync("python3", ["-c", program]).toString());
  assert.deepEqual(colors, Array.from({ length: 121 }, (_, i) => classColor(i - 1)));
});
