// Charts as SVG: steps over time, areas stacked from zero, one vertical line for now.

import { element } from "./words.js";

const HIGH = 240, LEFT = 52, RIGHT = 12, TOP = 10, BOTTOM = 26;

function drawn(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function roundStep(range, parts) {
  const rough = range / parts || 1, power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].find((one) => one * power >= rough) * power;
}

// Steps: each value holds from its time to the next; a null makes a gap.
function stepPath(series, x, y) {
  let path = "", open = false;
  for (const { from, to, value } of series) {
    if (value === null || value === undefined) { open = false; continue; }
    path += `${open ? "L" : "M"}${x(from).toFixed(1)},${y(value).toFixed(1)}H${x(to).toFixed(1)}`;
    open = true;
  }
  return path;
}

function areaPath(series, x, y) {
  return series.filter(({ value }) => value !== null && value !== undefined)
    .map(({ from, to, value, base }) => `M${x(from).toFixed(1)},${y(base ?? 0).toFixed(1)}V${y(value).toFixed(1)}H${x(to).toFixed(1)}V${y(base ?? 0).toFixed(1)}Z`)
    .join("");
}

const valuesOf = (layers) =>
  layers.flatMap(({ series }) => series).flatMap(({ value, base }) => [value, base]).filter((value) => Number.isFinite(value));

// A spare layer is left out where it would take more than half of the height, and is told in the legend alone.
function isFar(layer, others) {
  const own = valuesOf([layer]), low = Math.min(0, ...others), high = Math.max(0, ...others);
  return layer.spare && own.length > 0 && (Math.min(...own) < low - (high - low) || Math.max(...own) > high + (high - low));
}

// layers: [{name, kind, title, area, spare, series: [{from, to, value, base}]}], times in Unix seconds.
export function chart(target, told, { label, now = null, clock, unit, digits = 0, zero = true }) {
  const near = valuesOf(told.filter((layer) => !layer.spare));
  const far = told.filter((layer) => isFar(layer, near)), layers = told.filter((layer) => !far.includes(layer));
  const all = layers.flatMap((layer) => layer.series), values = valuesOf(layers);
  if (!values.length) return target.replaceChildren(element("p", {}, "nothing is known yet"));
  const begin = Math.min(...all.map(({ from }) => from)), end = Math.max(...all.map(({ to }) => to));
  let low = Math.min(...values, ...(zero ? [0] : [])), high = Math.max(...values, ...(zero ? [0] : []));
  if (high - low < 1e-9) { high += 1; }
  const step = roundStep(high - low, 5);
  low = Math.floor(low / step) * step; high = Math.ceil(high / step) * step;
  const WIDE = Math.max(target.clientWidth, 320);
  const x = (time) => LEFT + ((WIDE - LEFT - RIGHT) * (time - begin)) / (end - begin || 1);
  const y = (value) => TOP + ((HIGH - TOP - BOTTOM) * (high - value)) / (high - low);
  const svg = drawn("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": label });
  for (let value = low; value <= high + step / 2; value += step) {
    svg.append(drawn("line", { class: "grid", x1: LEFT, x2: WIDE - RIGHT, y1: y(value), y2: y(value) }),
      drawn("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, (Math.abs(value) < step / 1e6 ? 0 : value).toFixed(digits)));
  }
  const hours = [1, 2, 3, 6, 12].find((one) => (end - begin) / 3600 / one <= 10) ?? 24;
  const first = Math.ceil(begin / 3600) * 3600;
  for (let time = first; time <= end; time += 3600) {
    const text = clock(time);
    if (!text.endsWith(":00") || Number(text.slice(0, 2)) % hours) continue;
    svg.append(drawn("text", { x: x(time), y: HIGH - 8, "text-anchor": "middle" }, text));
  }
  for (const layer of layers) {
    const path = drawn("path", { class: `${layer.kind}${layer.area ? " area" : ""}`, d: (layer.area ? areaPath : stepPath)(layer.series, x, y) });
    path.append(drawn("title", {}, layer.title ?? layer.name ?? ""));
    svg.append(path);
  }
  if (now !== null && now > begin && now < end) svg.append(drawn("line", { class: "now", x1: x(now), x2: x(now), y1: TOP, y2: HIGH - BOTTOM }));
  const legend = element("div", { class: "legend" });
  for (const layer of layers.filter((one) => one.name)) legend.append(element("span", {}, element("i", { class: layer.kind }), layer.name));
  for (const layer of far) {
    const least = Math.min(...valuesOf([layer]).map(Math.abs));
    legend.append(element("span", {}, `${layer.name} off the scale, ${least.toFixed(digits)} at its least`));
  }
  legend.append(element("span", {}, unit));
  target.replaceChildren(svg, legend);
}

export function bars(target, counts, total) {
  const rows = Object.entries(counts).sort((a, b) => b[1] - a[1]);
  if (!rows.length) return target.replaceChildren(element("p", {}, "no car is plugged in"));
  target.replaceChildren(...rows.flatMap(([name, count]) => [
    element("span", {}, name.replaceAll("_", " ")),
    element("progress", { value: count, max: Math.max(total, 1), "aria-label": name }),
    element("b", {}, count.toLocaleString("en-US")),
  ]));
}
