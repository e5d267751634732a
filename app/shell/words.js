/* Numbers and durations as text. */

/* "1 image", "1,200 images". */
export const count = (value, one, many = `${one}s`) =>
  `${value.toLocaleString("en")} ${value === 1 ? one : many}`;

/* "40 s", "3 min", "1.5 h". */
export const duration = (seconds) =>
  seconds < 60 ? `${Math.max(1, Math.round(seconds))} s`
    : seconds < 3600 ? `${Math.round(seconds / 60)} min`
      : `${(seconds / 3600).toFixed(1)} h`;

/* "340 B", "1.2 MB". */
export const bytes = (size) => {
  for (const unit of ["B", "kB", "MB"]) {
    if (size < 1000) return `${unit === "B" ? size : size.toFixed(1)} ${unit}`;
    size /= 1000;
  }
  return `${size.toFixed(1)} GB`;
};

/* "87%". */
export const percent = (share) => `${Math.round(100 * share)}%`;
