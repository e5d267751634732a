/* Moments as "3 minutes ago", and the time that progress bars have left. */

import { duration } from "./words.js";

const JUST_NOW = 45; // seconds
const MEASURED = 2000; // ms that must pass before a rate is reliable
const MINUTE = 60_000; // ms

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

const ago = (moment) => {
  const seconds = (moment - Date.now()) / 1000;
  if (seconds > -JUST_NOW) return "just now";
  for (const [unit, length] of [["day", 86400], ["hour", 3600]])
    if (-seconds >= length) return relative.format(Math.round(seconds / length), unit);
  return relative.format(Math.min(-1, Math.round(seconds / 60)), "minute");
};

const showAge = (time) => {
  const moment = new Date(time.dateTime);
  time.title = moment.toLocaleString();
  time.textContent = ago(moment);
};

const firstSeen = new Map(); // progress key → where it was at first
const showTimeLeft = (progress) => {
  const { eta, done, total } = progress.dataset;
  const [now, ready, all] = [Date.now(), +done, +total];
  const start = firstSeen.get(eta);
  if (!start || start.done > ready) firstSeen.set(eta, { time: now, done: ready });
  const place = progress.querySelector("[data-left]");
  if (!place || !start || !all || ready <= start.done || now - start.time < MEASURED) return;
  const seconds = ((now - start.time) / (ready - start.done) / 1000) * (all - ready);
  place.textContent = seconds < 1 ? "" : ` · ${duration(seconds)} left`;
};

/* Fill the <time> elements and the progress bars inside `root`. */
export const showTimes = (root) => {
  root.querySelectorAll("time").forEach(showAge);
  root.querySelectorAll("[data-eta]").forEach(showTimeLeft);
};

setInterval(() => document.querySelectorAll(".live time").forEach(showAge), MINUTE);
