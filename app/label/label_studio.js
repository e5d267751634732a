/* The upload of a Label Studio export: [data-upload-labels] opens the file input beside it. */

import { refusal } from "../shell/http.js";
import { count } from "../shell/words.js";

/* Describe what an upload changed. */
export const summary = ({ labeled, skipped }) => {
  const rest = skipped ? ` ${count(skipped, "task")} had no label.` : "";
  return `${count(labeled, "image")} labeled.${rest}`;
};

const send = async (subset, file) => {
  const answer = await fetch(`/label/${subset}/label-studio`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: file,
  });
  if (!answer.ok) throw await refusal(answer);
  return answer.json();
};

/* Start the upload buttons. `changed` is called after labels have been applied. */
export const startUploads = (changed) => {
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-upload-labels]");
    button?.nextElementSibling.click();
  });
  document.addEventListener("change", async (event) => {
    const button = event.target.previousElementSibling;
    const [file] = event.target.files ?? [];
    if (!button?.matches?.("[data-upload-labels]") || !file) return;
    const status = event.target.parentElement.querySelector("[role=status]");
    status.textContent = "Applying labels …";
    try {
      status.textContent = summary(await send(button.dataset.uploadLabels, file));
      changed();
    } catch (error) {
      status.textContent = error.status ? error.message : "The upload failed. Try again.";
    }
    event.target.value = ""; // the same file can be chosen again
  });
};
