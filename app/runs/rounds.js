/* Which images each round of a run selected. `rounds` holds a round number for each row of the
   dataset, 0 for an image that was not selected. */

import { count } from "../shell/words.js";

/* The rows that round `number` selected, those that earlier rounds selected, and all others. */
export const byRound = (rounds, number) => {
  const rows = { current: [], earlier: [], others: [] };
  rounds.forEach((round, row) => {
    if (!round || round > number) rows.others.push(row);
    else if (round === number) rows.current.push(row);
    else rows.earlier.push(row);
  });
  return rows;
};

/* What the map shows after round `number`, in words. */
export const caption = ({ current, earlier, others }, number) => {
  const total = count(current.length + earlier.length + others.length, "image");
  if (!number) return `${total}, none selected yet.`;
  return `Round ${number} selected ${count(current.length, "image")} (orange). ` +
    `Earlier rounds selected ${earlier.length.toLocaleString("en")} (blue). The map shows ${total}.`;
};
