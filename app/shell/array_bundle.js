/* Binary bundles (app/shell/array_bundle.py): named arrays and a little JSON in one response. */
(() => {
  "use strict";
  const TYPES = {
    uint8: Uint8Array, int8: Int8Array, uint16: Uint16Array, int16: Int16Array,
    uint32: Uint32Array, int32: Int32Array, float32: Float32Array, float64: Float64Array,
  };

  /* An ArrayBuffer as {meta, name: TypedArray, …}; the arrays are views of it, nothing is copied. */
  studio.unpack = (buffer) => {
    const view = new DataView(buffer);
    if (buffer.byteLength < 8 || view.getUint32(0, false) !== 0x56434231)
      throw new Error("This is not a bundle of the studio.");
    const length = view.getUint32(4, true);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
    const start = Math.ceil((8 + length) / 8) * 8;
    const bundle = { meta: header.meta };
    for (const { name, type, at, length: items } of header.arrays)
      bundle[name] = new TYPES[type](buffer, start + at, items);
    return bundle;
  };

  /* Fetch and unpack, null where there is nothing yet; a refusal is an Error with its sentence. */
  studio.fetchBundle = async (address, options) => {
    const answer = await fetch(address, options);
    if (!answer.ok) throw await studio.refusal(answer);
    return answer.status === 204 ? null : studio.unpack(await answer.arrayBuffer());
  };
  studio.fetchJson = async (address, body) => {
    const answer = await fetch(address, body === undefined ? undefined : {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw await studio.refusal(answer);
    return answer.json();
  };
  studio.refusal = async (answer) => {
    let sentence = `The studio answered with an error (${answer.status}).`;
    try { sentence = (await answer.json()).error ?? sentence; } catch { /* not ours: no sentence */ }
    return Object.assign(new Error(sentence), { status: answer.status });
  };
})();
