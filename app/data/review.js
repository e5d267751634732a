/* The review of an upload's columns: choose those with images, labels and captions, see how the first
   rows are read, then import. Nothing is stored as a dataset before that. */

const NONE = "None";
const NOT_READ =
  "The studio could not read the columns of this file in time. The upload is kept. You can import " +
  "it without choosing columns: the import detects labels and captions.";
const NO_COLUMNS = { columns: [], rows: [], guess: { file: "", label: "", caption: "" } };

const words = ({ title, columns }) => {
  if (!title) return NOT_READ;
  return columns.length
    ? `The file contains ${title}. Choose the columns to import. The table shows the first rows.`
    : `The file contains ${title}, so there are no columns to choose.`;
};

const option = (value, title = value) => {
  const found = document.createElement("option");
  found.value = value;
  found.textContent = title;
  return found;
};

/* Return a function that shows the review of an upload. `imported` is called with the id of the
   import, `discarded` when the user cancels. */
export const reviewer = (zone, showProblem, imported, discarded) => {
  const part = zone.querySelector(".drop-review");
  const selects = Object.fromEntries(
    ["file", "label", "caption"].map((name) => [name, part.querySelector(`[name=${name}]`)]),
  );
  let upload = null; // {token, name, rows}

  const draw = () => {
    const chosen = Object.values(selects).map((select) => select.value);
    part.querySelector("tbody").replaceChildren(
      ...upload.rows.map((row) => {
        const line = document.createElement("tr");
        for (const column of chosen) line.insertCell().textContent = row[column] ?? "";
        return line;
      }),
    );
  };
  for (const select of Object.values(selects)) select.addEventListener("change", draw);

  const ask = async (method, path, query = {}) => {
    showProblem("");
    const address = `/upload/${upload.token}${path}?${new URLSearchParams(query)}`;
    const answer = await fetch(address, { method }).catch(() => null);
    const content = await answer?.json().catch(() => null);
    if (!answer?.ok) {
      showProblem(content?.error ?? "The studio is not responding. Check that it is running, then try again.");
      return null;
    }
    return content;
  };
  part.querySelector(".drop-import").addEventListener("click", async ({ currentTarget: button }) => {
    button.disabled = true;
    const columns = Object.fromEntries(Object.entries(selects).map(([key, { value }]) => [key, value]));
    const answer = await ask("POST", "/import", { name: upload.name, ...columns });
    button.disabled = false;
    if (answer) imported(answer.import);
  });
  part.querySelector(".drop-discard").addEventListener("click", async () => {
    if (await ask("DELETE", "")) discarded();
  });

  return ({ upload: token, preview: read }, name) => {
    const preview = read ?? NO_COLUMNS; // null if reading the columns takes too long
    upload = { token, name, rows: preview.rows };
    const found = preview.columns.length > 0;
    part.querySelector(".drop-format").textContent = words(preview);
    for (const [key, select] of Object.entries(selects)) {
      const none = preview.guess[key] ? [] : [option("", NONE)];
      select.replaceChildren(...none, ...preview.columns.map((column) => option(column)));
      select.value = preview.guess[key];
      select.disabled = !found;
    }
    for (const name of [".drop-row", ".drop-rows"]) part.querySelector(name).hidden = !found;
    draw();
    part.querySelector(found ? "select" : ".drop-import").focus();
  };
};
