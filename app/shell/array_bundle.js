/* Binary bundles (app/shell/array_bundle.py): named arrays and a little JSON in one response. */

const MAGIC = 0x56434231; // "VCB1"
const TYPES = {
  uint8: Uint8Array, int8: Int8Array, uint16: Uint16Array, int16: Int16Array,
  uint32: Uint32Array, int32: Int32Array, float32: Float32Array, float64: Float64Array,
};

/* Return an ArrayBuffer as {meta, name: TypedArray, …}. The arrays are views: nothing is copied. */
export const unpack = (buffer) => {
  const view = new DataView(buffer);
  if (buffer.byteLength < 8 || view.getUint32(0, false) !== MAGIC)
    throw new Error("The studio sent data that this page can't read. Reload the page.");
  const length = view.getUint32(4, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  const start = Math.ceil((8 + length) / 8) * 8;
  const bundle = { meta: header.meta };
  for (const { name, type, at, length: items } of header.arrays)
    bundle[name] = new TYPES[type](buffer, start + at, items);
  return bundle;
};
