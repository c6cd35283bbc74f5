// The homes: one with its pieces, and the list to choose it from. The centre is asked for little at a time.

import { icon } from "./icons.js";
import { $, button, element, fill, kindName, phaseName, put, since, state } from "./state.js";
import { ago, say, span } from "./texts.js";

const AGAIN_MS = 10000; // the home that is shown is asked for so often, and after each change
const APART_MS = 1000; // but not more often than that
const TYPING_MS = 250;

const chosen = { gateway: null, byHand: false, home: null, at: 0, asked: 0, due: 0 };
const sought = { text: "", found: null, at: 0, timer: null };

/** Show the home of `gateway` until it is let go. */
export function choose(gateway) {
  show(gateway, true);
  $("home").scrollIntoView({ block: "nearest" });
  $("home_title").focus({ preventScroll: true });
}

/** There is another snapshot: the home of the first open incident is shown, unless one was chosen. */
export function follow(open) {
  chosen.due = 0;
  if (chosen.byHand) return;
  const first = open.find((incident) => incident.gateway !== "centre");
  if (first) show(first.gateway, false);
}

function show(gateway, byHand) {
  if (chosen.gateway !== gateway) Object.assign(chosen, { gateway, home: null, asked: 0, due: 0 });
  chosen.byHand = byHand;
  showHome();
}

/** Twice a second. */
export function showHomes() {
  const now = performance.now();
  if (chosen.gateway && now - chosen.asked > APART_MS && now > chosen.due) ask(now);
  showHome();
  showList();
}

async function ask(now) {
  const gateway = chosen.gateway;
  Object.assign(chosen, { asked: now, due: now + AGAIN_MS });
  const home = await fetched(`/api/homes/${encodeURIComponent(gateway)}`);
  if (home && gateway === chosen.gateway) Object.assign(chosen, { home, at: performance.now() });
  showHome();
}

async function fetched(address) {
  try {
    const answer = await fetch(address);
    return answer.ok ? await answer.json() : null;
  } catch {
    return null; // the banner says that the centre is away
  }
}

// --- one home ---

function showHome() {
  const home = chosen.home;
  $("home").hidden = !home;
  if (!home) return;
  put($("home_title"), home.home || home.id);
  $("home_close").hidden = !chosen.byHand;
  const elapsed = since(chosen.at);
  const parts = [condition(home, elapsed), ...troubles(home, elapsed), piecesTitle(home), pieces(home)];
  const looks = parts.map((part) => part.outerText ?? part.textContent).join("\n");
  if ($("home_body").looks === looks) return;
  fill($("home_body"), parts);
  $("home_body").looks = looks;
}

function condition(home, elapsed) {
  const list = element("dl", "condition");
  const row = (name, text, isBad) => list.append(element("dt", "", say(name)), element("dd", isBad ? "bad" : "", text));
  const heard = home.silent_s === null ? "" : ` · ${say("heartbeat", { t: ago(home.silent_s + elapsed) })}`;
  row("gateway", stateName(home) + heard, home.state === "lost");
  row("power", power(home), standing(home, "mains_lost") || standing(home, "backup_low"));
  if (home.state === "never") return list;
  row("clock", say(`clock_${home.clock}`), home.clock !== "synchronised");
  row("roster", say("roster_text", { n: home.terminals, silent: home.silent }), home.silent > 0);
  row("outbox", home.unsettled ? say("waiting", { n: home.unsettled, t: span(home.oldest_s ?? 0) }) : say("outbox_empty"), home.unsettled > 0);
  row("version", `${home.version} · ${say("uptime", { t: span(home.uptime_s ?? 0) })} · ${home.id}`);
  return list;
}

const standing = (home, kind) => home.troubles.some((trouble) => trouble.kind === kind);

function power(home) {
  const found = ["mains_lost", "backup_low"].filter((kind) => standing(home, kind)).map(kindName);
  return found.length ? found.join(" · ") : say("power_untold");
}

function troubles(home, elapsed) {
  if (!home.troubles.length) return [element("p", "calm", say("troubles_none"))];
  const list = element("ul", "troubles");
  for (const trouble of home.troubles) {
    const where = trouble.terminal === home.id ? "" : ` · ${[trouble.room, trouble.terminal].filter(Boolean).join(" · ")}`;
    const line = element("li", "", `${kindName(trouble.kind)}${where} · ${ago(trouble.age_s + elapsed)}`);
    line.prepend(icon(trouble.kind));
    list.append(line);
  }
  return [element("h3", "", say("troubles")), list];
}

function piecesTitle(home) {
  const title = element("h3", "", say("pieces"));
  const silent = home.terminals - home.pieces.length;
  if (silent > 0) title.append(element("span", "quiet", say("pieces_unnamed", { n: silent })));
  return title;
}

function pieces(home) {
  const list = element("ul", "pieces");
  for (const piece of home.pieces) {
    const isLife = piece.standing.some((kind) => (state.words.kinds[kind]?.severity ?? "life") === "life");
    const line = element("li", piece.standing.length ? `standing${isLife ? " life" : ""}` : "");
    const text = element("div");
    text.append(element("b", "", piece.room || piece.id), element("span", "quiet", piece.room ? piece.id : ""));
    const now = piece.standing.length ? piece.standing.map(kindName).join(" · ") : say("piece_quiet");
    text.append(element("p", "", now));
    text.append(element("p", "quiet", say("piece_last", { kind: kindName(piece.last.kind), phase: phaseName(piece.last.phase), t: dayAndTime(piece.last.at) })));
    line.append(icon(piece.kind ?? "piece"), text);
    list.append(line);
  }
  if (!home.pieces.length) list.append(element("li", "none", say("pieces_none")));
  return list;
}

function dayAndTime(iso) {
  const time = new Date(iso);
  const two = (n) => String(n).padStart(2, "0");
  return `${time.getMonth() + 1}/${time.getDate()} ${two(time.getHours())}:${two(time.getMinutes())}`;
}

// --- the list ---

function showList() {
  const homes = sought.text ? sought.found : state.snapshot.homes;
  if (!homes) return;
  const elapsed = since(sought.text ? sought.at : state.at);
  put($("homes_tally"), say("homes_tally", homes));
  const looks = JSON.stringify([homes.rows.map((row) => [row.id, row.home, row.state, row.open, row.unsettled, row.clock]), say("language"), chosen.gateway]);
  if ($("homes").looks !== looks) {
    const lines = homes.rows.map(homeLine);
    if (homes.all > lines.length) lines.push(element("li", "none", say("homes_more", { n: homes.all - lines.length })));
    if (!homes.all) lines.push(element("li", "none", say(sought.text ? "homes_unfound" : "homes_none")));
    replaceKeepingFocus($("homes"), lines);
    $("homes").looks = looks;
  }
  homes.rows.forEach((row, at) => {
    const line = $("homes").children[at]?.querySelector(".heard");
    if (line) put(line, row.silent_s === null ? row.id : `${row.id} · ${say("heartbeat", { t: ago(row.silent_s + elapsed) })}`);
  });
}

/** The list anew; who stands on a home with the keyboard stays on it. */
function replaceKeepingFocus(list, lines) {
  const gateway = list.contains(document.activeElement) ? document.activeElement.dataset.gateway : null;
  fill(list, lines);
  if (gateway) [...list.querySelectorAll("button")].find((one) => one.dataset.gateway === gateway)?.focus();
}

function homeLine(row) {
  const line = element("li", row.state);
  const pick = button("pick", "", () => choose(row.id));
  pick.dataset.gateway = row.id;
  if (row.id === chosen.gateway) pick.setAttribute("aria-current", "true");
  const head = element("span", "head");
  head.append(element("b", "", row.home || row.id), element("span", "state", stateName(row)));
  pick.append(head, element("span", "heard"));
  if (row.open) pick.append(element("span", "waiting", say("home_open", { n: row.open })));
  if (row.unsettled) pick.append(element("span", "waiting", say("waiting", { n: row.unsettled, t: span(row.oldest_s ?? 0) })));
  if (["unset", "holdover"].includes(row.clock)) pick.append(element("span", "waiting", say(`clock_${row.clock}`)));
  line.append(pick);
  return line;
}

function stateName(home) {
  const sign = { lost: "▲ ", online: "● ", never: "○ " }[home.state] ?? "";
  return sign + say(home.state === "lost" ? "gateway_lost" : home.state);
}

async function seek() {
  const text = $("seek").value.trim();
  const found = text ? await fetched(`/api/homes?q=${encodeURIComponent(text)}`) : null;
  if (text !== $("seek").value.trim()) return; // typed on in the meantime
  Object.assign(sought, { text, found, at: performance.now() });
  if (state.snapshot) showList();
}

$("seek").addEventListener("input", () => {
  clearTimeout(sought.timer);
  sought.timer = setTimeout(seek, TYPING_MS);
});
$("home_close").addEventListener("click", () => {
  Object.assign(chosen, { byHand: false, gateway: null, home: null });
  follow(state.snapshot.incidents.filter((incident) => incident.phase !== "restored"));
  showHome();
  $("seek").focus();
});
