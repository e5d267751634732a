/* The upload form: choose or drop images, folders or a ZIP file, name the dataset, follow the upload,
   cancel it. */

import { act } from "../shell/actions.js";
import { chosen, collected, dropped } from "../shell/files.js";
import { session } from "../shell/storage.js";
import { bytes, count, duration } from "../shell/words.js";
import { MOST_BYTES, MOST_FILES, zip } from "../shell/zip.js";
import { reviewer } from "./review.js";

const RESET = 8000; // ms after an upload, if the card of its import does not appear
const ZIP_MAGIC = [0x50, 0x4b];
const UPLOADING = "studio-upload"; // stored name of the current upload
const IMAGE = /\.(jpe?g|png|webp|gif|bmp|tiff?|heic|heif|avif)$/i;
const NO_ANSWER = "The studio is not responding. Check that it is running, then try again.";

const isZip = async (file) => {
  const start = await file.slice(0, 2).arrayBuffer().catch(() => new ArrayBuffer(0));
  return ZIP_MAGIC.every((byte, i) => new Uint8Array(start)[i] === byte);
};

/* A dataset name from a file name. */
const nameFrom = (fileName) =>
  fileName.replace(/\.zip$/i, "").replace(/[^\p{L}\p{N}_ .()+-]+/gu, " ").trim().slice(0, 100);

/* Start the form; the arguments are those of Gradio's js_on_load. */
export const upload = (element, trigger) => {
  const zone = element.querySelector(".drop");
  const part = (name) => zone.querySelector(`.drop-${name}`);
  const inputs = zone.querySelectorAll("input[type=file]");
  const form = zone.querySelector("form");
  const name = form.querySelector("[name=name]");
  const bar = zone.querySelector("progress");
  const limit = +zone.dataset.limit;
  let file = null; // the archive
  let proposal = null; // request for an unused name
  let checking = false; // whether the server is checking name and size
  let request = null;
  let importId = null; // of the upload, until the import's card is shown

  const setState = (value) => (zone.dataset.state = value);
  const showProblem = (message) => {
    part("problem").textContent = message;
    part("problem").hidden = !message;
  };
  const reset = () => {
    file = request = importId = null;
    for (const input of inputs) input.value = "";
    setState("empty");
  };

  /* Take `files`: one ZIP file, or images that become one here. */
  const choose = async (files) => {
    showProblem("");
    if (!files.length || request || importId) return;
    session.remove(UPLOADING);
    try {
      const given = collected(files);
      const archive = files.length === 1 && (await isZip(files[0].file)) ? files[0].file : await packed(given);
      if (archive.size > limit)
        throw new Error(`The upload is ${bytes(archive.size)}. The limit is ${bytes(limit)} (VECAF_MAX_ARCHIVE_BYTES).`);
      const title = archive.name ?? (given.name || count(given.files.length, "file"));
      offer(archive, title, nameFrom(archive.name ?? (given.name || "my images")));
    } catch (error) {
      reset();
      showProblem(error.message);
    }
  };
  const packed = async ({ files }) => {
    if (files.length === 1 && !IMAGE.test(files[0].name))
      throw new Error(`“${files[0].name}” is not a ZIP file or an image. Drop images, a folder or a ZIP file here.`);
    if (files.length > MOST_FILES || files.reduce((sum, { file: one }) => sum + one.size, 0) > 0.99 * MOST_BYTES)
      throw new Error(`The browser can upload ${MOST_FILES.toLocaleString("en")} files or ${bytes(MOST_BYTES)} at once. Put your images into a ZIP file and drop it here.`);
    part("prompt").hidden = true;
    try {
      return await zip(files, (done) => {
        part("reading").textContent = `Reading ${done.toLocaleString("en")} of ${count(files.length, "file")} …`;
      });
    } catch {
      throw new Error("A file could not be read. Check that it still exists, then try again.");
    } finally {
      part("reading").textContent = "";
      part("prompt").hidden = false;
    }
  };
  const offer = (archive, title, suggestion) => {
    file = archive;
    part("file").textContent = `${title} · ${bytes(file.size)}`;
    name.value = suggestion;
    setState("chosen");
    name.focus();
    name.select();
    proposal = proposeName(name.value);
  };
  const proposeName = async (wanted) => {
    const chosen = file;
    const answer = await fetch(`/upload/name?${new URLSearchParams({ name: wanted })}`).catch(() => null);
    if (!answer?.ok) return; // the check before the upload reports the problem
    const { name: free } = await answer.json();
    if (file !== chosen || name.value !== wanted) return; // changed meanwhile
    name.value = free;
    if (document.activeElement === name) name.select();
  };

  /* After the upload the form shows the import until the import's own card replaces it. */
  const showStage = (uploaded) => {
    part("stage").textContent = uploaded ? "Checking images" : "Uploading";
    part("step-1").classList.toggle("done", uploaded);
    part(uploaded ? "step-1" : "step-2").removeAttribute("aria-current");
    part(uploaded ? "step-2" : "step-1").setAttribute("aria-current", "step");
    part("hint").hidden = uploaded;
    if (!uploaded) return;
    part("words").textContent = "";
    bar.removeAttribute("value");
  };
  document.addEventListener("studio:shown", () => {
    if (importId && document.querySelector(`[data-key="import-${importId}"]`)) reset();
  });

  const send = async () => {
    if (checking || request || importId || !file) return;
    showProblem("");
    const chosen = file;
    let query;
    checking = true;
    try {
      await proposal;
      query = new URLSearchParams({ name: name.value, bytes: chosen.size });
      if (form.elements.review.checked) query.set("review", "yes");
      const check = await fetch(`/upload?${query}`);
      if (!check.ok) return showProblem((await check.json()).error);
    } catch {
      return showProblem(NO_ANSWER);
    } finally {
      checking = false;
    }
    if (file !== chosen) return; // another file was chosen meanwhile
    setState("sending");
    showStage(false);
    part("title").textContent = query.get("name");
    session.set(UPLOADING, query.get("name")); // a page that opens after an interruption reports it
    transfer(query, chosen);
  };

  const followImport = (id) => {
    importId = String(id);
    setState("sending");
    showStage(true);
    act(trigger, { act: "uploaded" });
    setTimeout(() => { if (importId) reset(); }, RESET); // the import may end before its card is shown
  };
  const review = reviewer(zone, showProblem, followImport, reset);

  const transfer = (query, content) => {
    const begun = performance.now();
    const sending = (request = new XMLHttpRequest()); // fetch reports no progress of uploads
    sending.open("POST", `/upload?${query}`);
    sending.setRequestHeader("Content-Type", "application/zip");
    const showSent = (sent) => {
      bar.max = content.size;
      bar.value = sent;
      const seconds = (performance.now() - begun) / 1000;
      const known = seconds > 1 && sent && sent < content.size;
      const left = known ? ` · ${duration((seconds / sent) * (content.size - sent))} left` : "";
      part("words").textContent = `${bytes(sent)} of ${bytes(content.size)}${left}`;
    };
    const stop = (message) => {
      request = null;
      setState("chosen");
      showProblem(message);
    };
    showSent(0);
    sending.upload.onprogress = (event) => showSent(event.loaded);
    sending.onload = () => {
      session.remove(UPLOADING);
      let answer = {};
      try {
        answer = JSON.parse(sending.responseText);
      } catch { /* the response of a proxy */ }
      if (sending.status !== 200) return stop(answer.error ?? "The upload failed. Try again.");
      request = null;
      if (answer.upload) {
        setState("review");
        return review(answer, query.get("name"));
      }
      followImport(answer.import);
    };
    // The name stays stored: without a server the page reloads, and then reports the interruption.
    sending.onerror = () => stop("The connection was lost and the upload was discarded. Try again.");
    sending.onabort = () => {
      session.remove(UPLOADING);
      stop("The upload was canceled. No data was kept.");
    };
    sending.send(content);
  };

  for (const input of inputs) input.addEventListener("change", () => choose(chosen(input.files)));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  part("cancel").addEventListener("click", () => {
    if (request) request.abort();
    else if (importId) {
      act(trigger, { act: "cancel", import: importId });
      reset();
    }
  });
  part("reset").addEventListener("click", () => {
    showProblem("");
    reset();
  });
  let depth = 0; // dragenter and dragleave also fire for children
  for (const type of ["dragenter", "dragover", "dragleave", "drop"])
    zone.addEventListener(type, (event) => {
      event.preventDefault();
      if (type === "dragenter") depth++;
      if (type === "dragleave") depth--;
      if (type === "drop") {
        depth = 0;
        dropped(event.dataTransfer).then(choose, () => showProblem("A file could not be read. Check that it still exists, then try again."));
      }
      zone.classList.toggle("over", depth > 0);
    });
  addEventListener("beforeunload", (event) => { if (request) event.preventDefault(); });

  const interrupted = session.get(UPLOADING);
  if (interrupted !== null)
    showProblem(`The upload of “${interrupted}” was interrupted and discarded. Choose the file again.`);
  session.remove(UPLOADING);
};
