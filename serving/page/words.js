// Figures and times as people read them, and elements without any markup from outside: text stays text.

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return made;
}

export function fill(target, ...children) {
  target.replaceChildren(...children.filter((child) => child !== null));
}

export function table(target, columns, rows, empty) {
  if (!rows.length) return fill(target, element("caption", {}, empty));
  const head = columns.map(([name, kind]) => element("th", kind ? { class: kind, scope: "col" } : { scope: "col" }, name));
  const body = rows.map((row) =>
    element("tr", {}, ...row.map((cell, at) => element("td", columns[at][1] ? { class: columns[at][1] } : {}, cell ?? ""))));
  fill(target, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body));
}

export const number = (value, digits = 1) =>
  value === null || value === undefined ? "–" : value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });

export const percent = (value) => (value === null || value === undefined ? "–" : `${Math.floor(100 * value + 1e-6)}%`);

export const plain = (word) => word.replaceAll("_", " ");

export function span(seconds) {
  if (seconds === null || seconds === undefined) return "unknown";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

// Times are shown on the fleet's own clock: the offset of its request, whatever the reader's is.
export function fleetClock(start) {
  const match = /([+-])(\d\d):(\d\d)$/.exec(start);
  const offset = match ? (match[1] === "-" ? -1 : 1) * (Number(match[2]) * 60 + Number(match[3])) * 60 : 0;
  return (seconds) => {
    const shifted = new Date(1000 * (seconds + offset));
    const two = (part) => String(part).padStart(2, "0");
    return `${two(shifted.getUTCHours())}:${two(shifted.getUTCMinutes())}`;
  };
}

export const unix = (text) => Date.parse(text) / 1000;
