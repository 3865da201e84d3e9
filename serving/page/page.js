// The status page: asks the service every few seconds, and draws what it says.

import { bars, chart } from "./charts.js";
import { element, fill, fleetClock, number, percent, plain, span, table, unix } from "./words.js";

const EVERY_MS = 5000, WAIT_MS = 30000, PLUGGED = "plugged";
const at = (id) => document.getElementById(id);
let told = null, shown = null, timer = null;

class Door extends Error {}

async function get(path, query = {}) {
  const token = sessionStorage.getItem("ebbflow-token");
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const answer = await fetch(`${path}?${new URLSearchParams(query)}`, { headers, signal: AbortSignal.timeout(WAIT_MS) });
  if (answer.status === 401 || answer.status === 403) throw new Door(token ? "this token does not open it" : "");
  const document = await answer.json();
  if (!answer.ok) throw new Error(document.error ?? `the service answered ${answer.status}`);
  return document;
}

async function refresh() {
  try {
    await listFleets();
    const fleet = at("fleet").value;
    if (!fleet) showAge("no cycle yet: the service waits for its first request", false);
    else await show(fleet);
    at("door").hidden = true;
  } catch (error) {
    failed(error);
  }
  clearTimeout(timer);
  if (at("door").hidden) timer = setTimeout(refresh, EVERY_MS);
}

// What is drawn is always of the fleet whose name stands above it.
async function show(fleet) {
  if (told?.fleet !== fleet) {
    at("all").hidden = true;
    showState("asking", "");
    showAge(`asking the service for ${fleet} …`, false);
  }
  const document = await get("/v1/status", { fleet });
  if (document.fleet === at("fleet").value) draw(document);
}

function failed(error) {
  if (error instanceof Door) {
    at("door").hidden = false;
    at("all").hidden = true;
    fill(at("refused"), error.message);
    return;
  }
  showAge(`no answer from the service: ${error.message}`, true);
}

async function listFleets() {
  const { fleets } = await get("/v1/fleets");
  const select = at("fleet"), before = select.value;
  if (fleets.join("\n") === [...select.options].map((option) => option.value).join("\n")) return;
  fill(select, ...fleets.map((name) => element("option", { value: name }, name)));
  select.value = fleets.includes(before) ? before : fleets[0] ?? "";
}

function showAge(text, stale) {
  at("age").textContent = text;
  at("age").className = stale ? "stale" : "";
}

function showState(text, kind) {
  at("state").textContent = text;
  at("state").className = `badge ${kind}`;
}

function draw(document) {
  told = document;
  at("all").hidden = false;
  const { now, clock_s, service, ahead } = told;
  const clock = fleetClock(now.start), age = clock_s - now.decided_at_s;
  const late = age > 2 * now.interval_s;
  showState(plain(now.state).toUpperCase(), now.state);
  at("policy").textContent = now.model ? `policy ${now.model.name} ${now.model.version}` : "rules";
  at("policy").title = now.model ? now.model.sha256 : "no policy";
  showAge(`cycle of ${clock(unix(now.start))}, decided ${span(age)} ago${late ? ": leases have ended" : ""}`, late);
  const problems = [...new Set([...now.problems, ...service.problems, ...(told.note ? [told.note] : [])])];
  at("problems").hidden = !problems.length;
  fill(at("problems"), ...problems.map((text) => element("li", {}, text)));
  drawTiles(clock, ahead);
  drawPower(clock, ahead);
  drawPrices(clock);
  bars(at("sources"), now.totals.by_source, now.plugged);
  fill(at("reasons"), ...now.reasons.flatMap(({ cars, why }) => [element("dt", {}, number(cars, 0)), element("dd", {}, why)]));
  drawOldest();
  drawStanding(clock);
  drawCycles(clock);
  drawAttention();
  fill(at("cars"), ...now.ids.map((id) => element("option", { value: id })));
  if (shown !== null && shown.cycle !== now.cycle_id) tell(shown.port);
}

function drawTiles(clock, ahead) {
  const { now, breaker, cycles } = told, last = cycles[0];
  const load = last.cars_kw + last.without_cars_kw;
  const oldest = Math.max(0, ...now.oldest.soc.ports.map((one) => one.age_s), ...now.oldest.power.ports.map((one) => one.age_s));
  const peak = ahead ? Math.max(...ahead.cars_kw.map((kw, step) => kw + ahead.without_cars_kw[step])) : null;
  const tiles = [
    ["cars plugged in", `${now.plugged} of ${now.ports}`],
    ["set-points, import", `${number(now.totals.import_kw)} kW`],
    ["set-points, export", `${number(now.totals.export_kw)} kW`],
    ["load now, measured", `${number(load)} kW`],
    ["room to the import limit", last.import_limit_kw === null ? "no limit" : `${number(last.import_limit_kw - load)} kW`],
    ["highest planned load", peak === null ? "–" : `${number(peak)} kW`],
    ["commands sent", number(now.totals.commands_due, 0)],
    ["oldest reading", span(oldest)],
    ["breaker", breaker.is_open ? "open" : "closed", breaker.is_open],
  ];
  fill(at("tiles"), ...tiles.map(([name, value, bad]) =>
    element("div", { class: bad ? "tile stale" : "tile" }, element("b", {}, value), element("span", {}, name))));
}

function drawPower(clock, ahead) {
  const { now, cycles } = told, begin = unix(now.start), step = now.interval_s;
  // What an interval's cars drew is measured by the cycle after it; where that is missing, set-points stand in.
  const row = [...cycles].reverse().filter((one) => unix(one.start) >= begin - 43200);
  const past = row.slice(0, -1).map((one, place) => {
    const from = unix(one.start), after = row[place + 1];
    const measured = unix(after.start) === from + step;
    return { ...one, from, to: from + step, cars_kw: measured ? after.cars_kw : one.import_kw - one.export_kw };
  });
  const next = ahead ? ahead.cars_kw.map((kw, place) => ({
    from: begin + place * step, to: begin + (place + 1) * step, cars_kw: kw, without_cars_kw: ahead.without_cars_kw[place],
    import_limit_kw: ahead.import_limit_kw[place], export_limit_kw: ahead.export_limit_kw[place],
  })) : [];
  const all = [...past, ...next];
  const pick = (name, sign = 1) => all.map((one) => ({ ...one, value: one[name] === null ? null : sign * one[name] }));
  chart(at("power"), [
    { name: "without cars", kind: "other", area: true, series: pick("without_cars_kw") },
    { name: "with cars", kind: "cars", series: all.map((one) => ({ ...one, value: one.cars_kw + one.without_cars_kw })) },
    { kind: "cars", area: true, title: "cars", series: all.map((one) => ({ ...one, base: one.without_cars_kw, value: one.cars_kw + one.without_cars_kw })) },
    { name: "import limit", kind: "limit", series: pick("import_limit_kw") },
    { name: "export limit", kind: "limit", spare: true, series: pick("export_limit_kw", -1) },
  ], { label: "Power against limits", now: begin, clock, unit: "kW" });
}

function drawPrices(clock) {
  const { now, prices } = told, begin = unix(now.start), step = now.interval_s;
  const series = (values, known) => values
    .map((value, place) => ({ from: begin + place * step, to: begin + (place + 1) * step, value, place }))
    .filter((one) => (one.place < prices.known_steps) === known);
  const layers = prices.tariffs.flatMap((tariff) => [["import", "buy"], ["export", "sell"]].flatMap(([way, kind]) => {
    const values = tariff[`${way}_usd_per_kwh`], name = prices.tariffs.length > 1 ? `${way}, ${tariff.id}` : way;
    return [{ name, kind, series: series(values, true) }, { kind: `${kind} forecast`, title: `${name}, forecast`, series: series(values, false) }];
  }));
  at("source").textContent = `${prices.source}${prices.published_age_s === null ? "" : `, published ${span(prices.published_age_s)} ago`}`;
  chart(at("prices"), layers, { label: "Prices", clock, unit: "$/kWh; pale: forecast", digits: 2 });
}

function drawOldest() {
  const rows = Object.entries(told.now.oldest).map(([name, one]) => [
    name === PLUGGED ? "plug state" : name === "soc" ? "state of charge" : name,
    one.ports.map(({ port, age_s }) => `${port} ${span(age_s)}`).join(", ") || "none told", number(one.missing, 0),
  ]);
  table(at("oldest"), [["reading", ""], ["oldest, by port", ""], ["cars without", "number"]], rows, "no car is plugged in");
}

function drawStanding(clock) {
  const { breaker, orders, shadow } = told;
  const said = [
    ["breaker", breaker.is_open ? `open: the rules decide; ${breaker.clean} clean cycles in shadow` : `closed, ${breaker.failures} failures in a row`],
    ["orders", orders.map((one) => `${plain(one.control)} by ${one.actor} until ${clock(one.until_s)} for ${one.ports || "all"} ports: ${one.reason}`).join("; ") || "none"],
    ["challenger", shadow ? `${shadow.model.name} in shadow: ${number(shadow.kw)} kW apart on ${shadow.cars} cars, ${number(shadow.usd, 2)} $ a cycle${shadow.failure ? `, failed: ${shadow.failure}` : ""}` : "none in shadow"],
  ];
  fill(at("standing"), ...said.flatMap(([name, text]) => [element("dt", {}, name), element("dd", {}, text)]));
}

function drawCycles(clock) {
  const columns = [["start", "time"], ["state", ""], ["cars measured", "number"], ["import", "number"], ["export", "number"],
    ["clipped", "number"], ["commands", "number"], ["by source", ""], ["problems", "number"]];
  table(at("cycles"), columns, told.cycles.slice(0, 24).map((one) => [
    clock(unix(one.start)), plain(one.state), number(one.cars_kw), number(one.import_kw), number(one.export_kw), number(one.clipped_kw),
    number(one.commands_due, 0), Object.entries(one.by_source).map(([name, count]) => `${plain(name)} ${count}`).join(", "), one.problems || "",
  ]), "no cycle yet");
}

function drawAttention() {
  const lines = told.attention.map((one) => {
    const open = element("button", { type: "button" }, one.port);
    open.addEventListener("click", () => tell(one.port));
    return element("li", {}, open, ` ${one.sentence}`);
  });
  fill(at("attention"), ...(lines.length ? lines : [element("li", {}, "every car is expected to get what was asked")]));
}

async function tell(port) {
  at("car").value = port;
  try {
    const fleet = told.fleet;
    const [line, { story }] = await Promise.all([
      get("/v1/drivers", { fleet, port }).then(({ drivers }) => drivers[0] ?? null, () => null), get("/v1/story", { fleet, port }),
    ]);
    const clock = fleetClock(told.now.start);
    at("sentence").textContent = line ? line.sentence : story.length ? "no car is plugged in there now" : `nothing is known of ${port}`;
    const columns = [["cycle", "time"], ["SoC", "number"], ["measured", "number"], ["asked", "number"], ["told", "number"], ["by", ""], ["why", ""]];
    table(at("story"), columns, story.map((one) => [clock(unix(one.cycle_start)), percent(one.soc), number(one.power_kw),
      number(one.requested_kw), one.mode === "release" ? "released" : number(one.setpoint_kw), plain(one.source), one.why]), "");
    shown = { port, cycle: told.now.cycle_id };
  } catch (error) {
    at("sentence").textContent = error.message;
  }
}

at("fleet").addEventListener("change", () => { shown = null; fill(at("story")); at("sentence").textContent = ""; refresh(); });
at("ask").addEventListener("submit", (event) => { event.preventDefault(); if (at("car").value.trim()) tell(at("car").value.trim()); });
at("door").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("ebbflow-token", at("token").value.trim());
  at("token").value = "";
  refresh();
});
refresh();
