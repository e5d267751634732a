/* The color of each class: the same on every page, and the same as in class_colors.py. */

export const TEN = ["#4269d0", "#e8a20c", "#f2614b", "#45b5a0", "#3ca951", "#f07aa8", "#a463f2", "#74a5ee", "#9c6b4e", "#7f8792"];
export const GRAY = "#8d8a84";

const hex = (rgb) => `#${rgb.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
const hue = (i) => { // beyond ten: hues a golden angle apart, in three shades
  const [h, s, l] = [(i * 137.508) % 360, 0.58, [0.5, 0.64, 0.4][i % 3]];
  const part = (k) => {
    const t = (k + h / 30) % 12;
    return Math.round(255 * (l - s * Math.min(l, 1 - l) * Math.max(-1, Math.min(t - 3, 9 - t, 1))));
  };
  return hex([0, 8, 4].map(part));
};
export const classColor = (label) => (label < 0 ? GRAY : (TEN[label] ?? hue(label)));
