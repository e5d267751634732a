/* The files that a user drops or chooses, with their paths: images, folders, or one ZIP file. */

const hidden = (path) => path.split("/").some((part) => part.startsWith(".") || part === "__MACOSX") ||
  /(^|\/)(Thumbs\.db|desktop\.ini)$/i.test(path);

const read = (entry) => new Promise((resolve, reject) => entry.file(resolve, reject));
const list = async (folder) => { // a reader returns a folder in parts
  const reader = folder.createReader();
  const found = [];
  for (;;) {
    const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!part.length) return found;
    found.push(...part);
  }
};
const walk = async (entry) => {
  if (entry.isFile) return [{ name: entry.fullPath.replace(/^\//, ""), file: await read(entry) }];
  return (await Promise.all((await list(entry)).map(walk))).flat();
};

/* Dropped files, those in folders included. Call it in the event: its items are gone afterwards. */
export const dropped = async (transfer) => {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return chosen(transfer.files);
  return (await Promise.all(entries.map(walk))).flat();
};

/* Files of an <input>; those of a folder have their path in it. */
export const chosen = (files) =>
  [...files].map((file) => ({ name: file.webkitRelativePath || file.name, file }));

/* What to upload: without hidden files, and below the folder that contains all of them, whose name is
   the dataset's. Images of that folder itself are unlabeled, not all of one class. */
export const collected = (files) => {
  const kept = files.filter(({ name }) => !hidden(name));
  const top = kept[0]?.name.split("/")[0] ?? "";
  const inside = kept.length > 0 && kept.every(({ name }) => name.startsWith(`${top}/`));
  if (!inside) return { name: "", files: kept };
  return { name: top, files: kept.map(({ name, file }) => ({ name: name.slice(top.length + 1), file })) };
};
