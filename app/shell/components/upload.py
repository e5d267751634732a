"""The drop zone. Bytes go to our own route (app/shell/uploads.py), never through Gradio's cache."""

from __future__ import annotations

import gradio as gr

_TEMPLATE = """
<section class="drop card" data-state="empty" data-limit="LIMIT" aria-label="Upload a dataset">
  <label class="drop-target">
    <input type="file" accept=".zip,application/zip">
    <svg viewBox="0 0 24 24" width="28" height="28" aria-hidden="true" fill="none"
      stroke="currentColor" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round">
      <path d="M12 15V4M7.5 8.5 12 4l4.5 4.5M4 15v4a1.5 1.5 0 0 0 1.5 1.5h13"/>
      <path d="M18.5 20.5A1.5 1.5 0 0 0 20 19v-4"/>
    </svg>
    <span><b>Drop a zip of images here</b>, or <u>choose a file</u></span>
    <small>One folder a class, optionally within train, val and test &ndash; or images with a \
metadata.csv, or images without labels. JPEG, PNG, WebP, GIF, BMP.</small>
  </label>
  <form class="drop-form">
    <p class="drop-chosen"></p>
    <div class="drop-row">
      <label class="field"><span>Dataset name</span>
        <input type="text" name="name" maxlength="100" autocomplete="off" required></label>
      <button type="submit" class="primary">Upload</button>
      <button type="button" class="quiet drop-reset">Choose another</button>
    </div>
  </form>
  <div class="drop-sending">
    <div class="card-head"><h3 class="drop-title"></h3><span class="chip chip-running">\
<i aria-hidden="true">◐</i>uploading</span><span class="grow"></span>\
<button type="button" class="quiet drop-cancel">Cancel</button></div>
    <ol class="steps"><li class="drop-step-1" aria-current="step">Upload</li>\
<li class="drop-step-2">Images</li><li>Ready</li></ol>
    <div class="progress"><div class="progress-words"><span class="drop-doing">Uploading</span>
      <span class="num drop-words" aria-live="off"></span></div>
      <progress max="1" value="0" aria-label="Uploading"></progress></div>
    <p class="muted drop-hint">Stay in the studio: other pages of it are loaded anew, and the \
upload would break off. Open them in another tab.</p>
  </div>
  <p class="notice notice-error drop-problem" role="alert" hidden></p>
</section>
"""


def upload(limit: int) -> gr.HTML:
    """A drop zone for archives of at most `limit` bytes; its event `act` says one has arrived."""
    return gr.HTML(
        value="",
        html_template=_TEMPLATE.replace("LIMIT", str(limit)),
        js_on_load='studio.upload(element, trigger); void ["act"];',
        apply_default_css=False,
        elem_id="upload",
    )
