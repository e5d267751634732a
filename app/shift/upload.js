/* The folder of target images on the Shift page: [data-shift-upload] makes a ZIP archive of it, which the
   studio imports as a dataset. */

import { chosen, collected } from "../shell/files.js";
import { refusal } from "../shell/http.js";
import { MOST_BYTES, MOST_FILES, zip } from "../shell/zip.js";

let uploaded = ""; // the name of a dataset, until its import ends

const send = async (input, say) => {
  const { name, files } = collected(chosen(input));
  if (!files.length) throw new Error("The folder has no files. Choose a folder with images.");
  const bytes = files.reduce((sum, { file }) => sum + file.size, 0);
  if (files.length > MOST_FILES || bytes > MOST_BYTES)
    throw new Error("The folder is too large. Upload it as a ZIP file on the Data page.");
  const archive = await zip(files, (read) => say(`Reading files: ${read} of ${files.length}`));
  const named = await fetch(`/upload/name?${new URLSearchParams({ name: name || "target images" })}`);
  if (!named.ok) throw await refusal(named);
  const query = new URLSearchParams({ name: (await named.json()).name, bytes: archive.size });
  const check = await fetch(`/upload?${query}`); // before the transfer
  if (!check.ok) throw await refusal(check);
  await new Promise((done, fail) => {
    const request = new XMLHttpRequest(); // fetch reports no progress of uploads
    request.open("POST", `/upload?${query}`);
    request.setRequestHeader("Content-Type", "application/zip");
    request.upload.onprogress = ({ loaded, total }) => say(`Uploading: ${Math.round((100 * loaded) / total)}%`);
    request.onerror = () => fail(new Error("The connection was lost and the upload was discarded. Try again."));
    request.onload = async () => {
      if (request.status === 200) return done();
      fail(await refusal(new Response(request.responseText, { status: request.status })));
    };
    request.send(archive);
  });
  uploaded = query.get("name");
};

/* Select the uploaded dataset after its import. */
document.addEventListener("studio:shown", () => {
  const options = [...document.querySelectorAll("[data-key=images] option")];
  const option = options.find((one) => uploaded && one.textContent === uploaded);
  if (!option) return;
  option.selected = true;
  uploaded = "";
});

document.addEventListener("change", async ({ target }) => {
  if (!target.matches?.("[data-shift-upload]") || !target.files.length) return;
  const status = document.querySelector(".shift-uploading");
  const say = (text) => { status.textContent = text; };
  target.disabled = true;
  try {
    await send(target.files, say);
    say("");
    dispatchEvent(new Event("studio:go")); // the page shows the import
  } catch (error) {
    say(error.message);
  } finally {
    target.disabled = false;
    target.value = "";
  }
});
