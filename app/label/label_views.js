/* The views of a labeling task: the form for the classes, a single image, the grid. */
(() => {
  "use strict";
  const make = (tag, props, ...children) => studio.make(tag, props, ...children);
  const percent = (share) => `${Math.round(100 * share)}%`;
  const suggestions = (count) => `${count} suggestion${count === 1 ? "" : "s"}`;
  const key = (name) => make("kbd", { textContent: name });

  const SHOWN = 24; // images beside the form for the classes

  /* The form for the classes of a dataset without any, with images beside it. */
  studio.labelClasses = (work) => {
    const field = make("textarea", { name: "classes", rows: 5, required: true, placeholder: "dog\ncat\nhorse" });
    const form = make("form", {},
      make("h2", { textContent: "Classes" }),
      make("label", { className: "field" },
        make("span", { textContent: "One per line, or separated by commas" }), field),
      make("p", { className: "muted", textContent: "You can add more classes while labeling." }),
      make("div", { className: "card-foot" },
        make("button", { type: "submit", className: "primary", textContent: "Start labeling" })));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const names = field.value.split(/[\n,;]/).map((name) => name.trim()).filter(Boolean);
      if (names.length) studio.labeling.addClasses(work, names);
    });
    const { images } = work;
    const step = Math.max(1, Math.floor(images.length / SHOWN)); // spread over all images
    const shown = images.filter((_, place) => place % step === 0).slice(0, SHOWN);
    const wall = make("div", { className: "label-samples" }, ...shown.map(({ image, thumb, name }) => {
      const link = make("a", { className: "thumb", href: image }, make("img", { src: thumb, alt: name }));
      link.dataset.words = name; // the caption of the large image (lightbox.js)
      return link;
    }));
    wall.setAttribute("role", "group");
    wall.setAttribute("aria-label", `${shown.length} of ${images.length} images`);
    return make("div", { className: "card label-first" }, form, wall);
  };

  studio.labelOne = (work) => {
    const image = work.images[work.at];
    const box = make("div", { className: "card label-one", tabIndex: -1 },
      make("figure", {},
        make("div", { className: "label-frame" }, make("img", { src: image.image, alt: image.name })),
        make("figcaption", {},
          make("span", { textContent: `${work.at + 1} of ${work.images.length} · ${image.name}` }),
          image.caption ? make("span", { textContent: image.caption }) : null)),
      make("div", { className: "label-side" }, suggestion(work, image), choices(work, image), buttons(work)));
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", "Image and label");
    return box;
  };

  const suggestion = (work, image) => {
    const { label } = studio.labeling;
    const line = make("div", { className: "label-suggestion" });
    line.setAttribute("aria-live", "polite");
    const suggested = work.suggested.get(image.id);
    if (image.label !== null) {
      line.append(make("span", {}, "Label: ", make("b", { textContent: work.classes[image.label] })),
        make("button", { type: "button", className: "quiet", textContent: "Remove label", onclick: () => label(work, { [image.id]: null }) }));
    } else if (suggested) {
      line.append(
        make("span", {}, "Suggested: ", make("b", { textContent: work.classes[suggested.label] }), ` ${percent(suggested.confidence)}`),
        make("button", { type: "button", className: "primary", onclick: () => label(work, { [image.id]: suggested.label }) }, "Accept suggestion ", key("Enter")));
    } else {
      line.append(make("span", { className: "muted", textContent: work.status || "No suggestion for this image" }));
      if (work.suggestionsFailed)
        line.append(make("button", { type: "button", className: "quiet", textContent: "Try again", onclick: () => studio.labeling.suggest(work) }));
    }
    return line;
  };

  const choices = (work, image) => {
    const { label, found } = studio.labeling;
    const suggested = work.suggested.get(image.id)?.label;
    const shown = found(work);
    const list = make("div", { className: "label-classes" }, ...shown.slice(0, 60).map(({ name, index }, place) => {
      const button = make("button", { type: "button", onclick: () => label(work, { [image.id]: index }) },
        place < 10 && !work.filter ? key(String((place + 1) % 10)) : null, make("span", { textContent: name }));
      button.setAttribute("aria-pressed", String(image.label === index));
      if (index === suggested && image.label === null) button.classList.add("suggested");
      return button;
    }));
    list.setAttribute("role", "group");
    list.setAttribute("aria-label", "Classes");
    const field = make("input", { name: "filter", value: work.filter, autocomplete: "off", placeholder: "Find or add a class" });
    field.setAttribute("aria-label", "Find or add a class");
    field.addEventListener("input", () => { work.filter = field.value; studio.labeling.show(work); });
    const wanted = work.filter.trim();
    const fresh = wanted && !work.classes.some((name) => name.toLowerCase() === wanted.toLowerCase())
      ? make("button", { type: "button", className: "quiet", textContent: `Create class “${wanted}” and assign it`, onclick: () => studio.labelNew(work) }) : null;
    return make("div", { className: "label-choice" }, list, make("div", { className: "field" }, field), fresh);
  };
  studio.labelNew = async (work) => {
    const name = work.filter.trim();
    const image = work.images[work.at];
    const index = await studio.labeling.addClasses(work, [name]);
    if (index >= 0) studio.labeling.label(work, { [image.id]: index });
  };

  const buttons = (work) => {
    const { move, skip, undo, FEW } = studio.labeling;
    const few = work.classes.length <= FEW;
    const button = (name, hint, act) =>
      make("button", { type: "button", className: "quiet", onclick: act }, `${name} `, key(hint));
    return make("div", { className: "label-buttons" },
      button("Previous", "←", () => move(work, -1)), button("Next", "→", () => move(work, 1)),
      button("Skip", few ? "s" : "Space", () => skip(work)),
      button("Undo", few ? "u" : "Ctrl+Z", () => undo(work)));
  };

  /* The grid: unlabeled images grouped by suggestion, then labeled images. */
  studio.labelGrid = (work) => {
    const { undo } = studio.labeling;
    const groups = new Map();
    for (const image of work.images) {
      const suggested = work.suggested.get(image.id)?.label;
      const name = image.label !== null ? "done" : suggested === undefined ? "none" : suggested;
      if (!groups.has(name)) groups.set(name, []);
      groups.get(name).push(image);
    }
    const order = [...groups.keys()].sort((a, b) => place(a) - place(b));
    const all = order.filter((name) => typeof name === "number").flatMap((name) => groups.get(name));
    const bar = make("div", { className: "card-head" },
      make("p", { className: "muted", textContent: work.status || "Correct wrong suggestions, then accept the rest." }),
      make("span", { className: "grow" }),
      make("button", { type: "button", name: "undo", className: "quiet", textContent: "Undo", onclick: () => undo(work) }),
      all.length ? accept(work, all, `Accept all ${suggestions(all.length)}`, "primary") : null);
    return make("div", { className: "label-grid", tabIndex: -1 }, bar, ...order.map((name) => section(work, name, groups.get(name))));
  };
  const place = (name) => (name === "done" ? 1e9 : name === "none" ? -1 : name);
  const accept = (work, images, words, kind) => make("button", {
    type: "button", className: kind, textContent: words,
    onclick: () => studio.labeling.label(work,
      Object.fromEntries(images.map((image) => [image.id, work.suggested.get(image.id).label]))),
  });
  const section = (work, name, images) => {
    const title = name === "done" ? "Labeled" : name === "none" ? "No suggestion" : work.classes[name];
    const sorted = typeof name === "number"
      ? [...images].sort((a, b) => work.suggested.get(a.id).confidence - work.suggested.get(b.id).confidence) : images;
    return make("section", { className: "card" },
      make("div", { className: "card-head" },
        make("h3", {}, title, " ", make("span", { className: "muted num", textContent: String(images.length) })),
        make("span", { className: "grow" }),
        typeof name === "number" ? accept(work, images, `Accept ${suggestions(images.length)}`, "") : null),
      make("div", { className: "label-tiles" }, ...sorted.map((image) => tile(work, image))));
  };
  const tile = (work, image) => {
    const suggested = work.suggested.get(image.id);
    const field = make("select", { name: `class-${image.id}` }, make("option", { value: "", textContent: "no label" }),
      ...work.classes.map((name, index) => make("option", { value: index, textContent: name })));
    field.value = image.label ?? (image.label === null && suggested ? suggested.label : "");
    field.setAttribute("aria-label", `Class of ${image.name}`);
    field.addEventListener("change", () =>
      studio.labeling.label(work, { [image.id]: field.value === "" ? null : +field.value }));
    return make("div", { className: "label-tile" },
      make("button", { type: "button", name: `open-${image.id}`, className: "label-open", title: image.name,
        onclick: () => { work.grid = false; work.at = work.images.indexOf(image); studio.labeling.show(work); } },
      make("img", { src: image.thumb, alt: image.name, loading: "lazy" })),
      field,
      image.label === null && suggested ? make("small", { className: "muted num", textContent: percent(suggested.confidence) }) : null);
  };
})();
