/* A folder of files becomes a ZIP file that other programs read. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { collected } from "../../app/shell/files.js";
import { crc32, zip } from "../../app/shell/zip.js";

const READ = `import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    assert archive.testzip() is None
    print(json.dumps({name: archive.read(name).decode() for name in archive.namelist()}))`;

test("a checksum is that of the ZIP format", () => {
  assert.equal(crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
});

test("Python reads the archive", async () => {
  const folder = mkdtempSync(join(tmpdir(), "zip-"));
  try {
    const path = join(folder, "a.zip");
    const files = [{ name: "cat/é.txt", file: new Blob(["one"]) }, { name: "b.txt", file: new Blob([""]) }];
    const archive = await zip(files);
    writeFileSync(path, Buffer.from(await archive.arrayBuffer()));
    const found = JSON.parse(execFileSync("python3", ["-c", READ, path]).toString());
    assert.deepEqual(found, { "cat/é.txt": "one", "b.txt": "" });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the folder that contains all files gives the name, not a class", () => {
  const files = ["photos/a.jpg", "photos/cat/b.jpg", "photos/.DS_Store"].map((name) => ({ name, file: null }));
  assert.deepEqual(collected(files), {
    name: "photos", files: [{ name: "a.jpg", file: null }, { name: "cat/b.jpg", file: null }],
  });
  assert.equal(collected([{ name: "a.jpg", file: null }]).name, "");
});
