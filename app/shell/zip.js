/* Write a ZIP file in the browser, so that images and folders are uploaded as one archive. Files are
   stored as they are: images do not get smaller. */

const LOCAL = 0x04034b50, CENTRAL = 0x02014b50, END = 0x06054b50;
const VERSION = 20, UTF8 = 0x0800, DATE = 0x0021; // 1 January 1980
export const MOST_FILES = 65_535, MOST_BYTES = 0xffffffff; // more need ZIP64

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});
export const crc32 = (bytes) => {
  let value = 0xffffffff;
  for (const byte of bytes) value = TABLE[(value ^ byte) & 255] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
};

/* Little-endian fields: [bytes, value] pairs. */
const fields = (...pairs) => {
  const view = new DataView(new ArrayBuffer(pairs.reduce((sum, [size]) => sum + size, 0)));
  let at = 0;
  for (const [size, value] of pairs) {
    if (size === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += size;
  }
  return new Uint8Array(view.buffer);
};

/* Return a ZIP file as a Blob. `files`: {name, file}, `file` a Blob, which is read once here for its
   checksum and again when the archive is sent. `progress` is called with the number of files read. */
export const zip = async (files, progress = () => {}) => {
  const [parts, directory] = [[], []];
  let [offset, length] = [0, 0];
  for (const [at, { name, file }] of files.entries()) {
    const path = new TextEncoder().encode(name);
    const crc = crc32(new Uint8Array(await file.arrayBuffer()));
    const common = [[2, VERSION], [2, UTF8], [2, 0], [2, 0], [2, DATE], [4, crc], [4, file.size],
      [4, file.size], [2, path.length], [2, 0]];
    const header = fields([4, LOCAL], ...common);
    const entry = fields([4, CENTRAL], [2, VERSION], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]);
    parts.push(header, path, file);
    directory.push(entry, path);
    offset += header.length + path.length + file.size;
    length += entry.length + path.length;
    progress(at + 1);
  }
  const end = fields([4, END], [2, 0], [2, 0], [2, files.length], [2, files.length], [4, length], [4, offset], [2, 0]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
};
