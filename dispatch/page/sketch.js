// Where a bracelet was: a sketch drawn to scale, north up, with neither tiles nor network, and the position in words.

import { button, drawn, element, put } from "./state.js";
import { ago, say } from "./texts.js";

const SIDE = 260; // of the picture, in its own units
const COPIED_MS = 2000;
const OLD_S = 120; // who walks has gone 150 m since

/** The part of a card that says where; `elapsed` seconds after the snapshot it is told the time by `showAges`. */
export function whereabouts(incident) {
  const box = element("div", "where");
  if (incident.sketch) box.append(picture(incident.sketch));
  box.append(words(incident.position, incident.sketch));
  return box;
}

/** The ages of an incident's positions, `elapsed` seconds after the snapshot. */
export function showAges(card, { position, sketch }, elapsed) {
  const line = card.querySelector(".where .fix");
  if (!line) return;
  put(line, say("position_age", { t: ago(position.age_s + elapsed) }));
  line.classList.toggle("old", position.age_s + elapsed > OLD_S);
  const before = card.querySelector(".where .before");
  if (before) put(before, sketch.points.map((point, at) => `${at + 1}: ${ago(point.age_s + elapsed)}`).slice(0, -1).reverse().join(" · "));
}

function words(position, sketch) {
  const box = element("div", "words");
  const coordinates = `${position.latitude.toFixed(6)}, ${position.longitude.toFixed(6)}`;
  const line = element("p", "coordinates");
  line.append(element("code", "", coordinates), element("span", "crs", position.crs));
  const copy = button("copy", say("copy"), () => copied(copy, `${coordinates} (${position.crs})`));
  line.append(copy);
  box.append(element("p", "fix"), line, element("p", "", accuracy(position)));
  const home = sketch?.home;
  if (home) box.append(element("p", "from_home", say("from_home", { m: metres(home.distance_m), way: way(home.bearing_deg), deg: Math.round(home.bearing_deg) % 360 })));
  if (home?.fence_m) box.append(element("p", "", say("fence", { m: metres(home.fence_m) })));
  if (sketch?.points.length > 1) box.append(element("p", "before"));
  if (sketch?.left_out) box.append(element("p", "", say("left_out", { n: sketch.left_out })));
  box.append(element("p", "datum", say("datum")));
  return box;
}

function accuracy(position) {
  const known = position.accuracy_m ? say("accuracy", { m: metres(position.accuracy_m) }) : say("accuracy_unknown");
  return position.satellites ? `${known} · ${say("satellites", { n: position.satellites })}` : known;
}

async function copied(copy, text) {
  try {
    await navigator.clipboard.writeText(text);
    put(copy, say("copied"));
  } catch {
    put(copy, say("copy_failed")); // the text beside it can be marked by hand
  }
  setTimeout(() => put(copy, say("copy")), COPIED_MS);
}

export function metres(m) {
  return m < 1000 ? say("m", { n: Math.round(m) }) : say("km", { n: (m / 1000).toFixed(m < 10000 ? 2 : 0) });
}

function way(bearing) {
  return say("ways").split(" ")[Math.round(bearing / 45) % 8];
}

// --- the picture ---

function picture(sketch) {
  const scale = SIDE / 2 / sketch.half_m;
  const x = (east) => SIDE / 2 + (east - sketch.centre[0]) * scale;
  const y = (north) => SIDE / 2 - (north - sketch.centre[1]) * scale;
  const svg = drawn("svg", { viewBox: `0 0 ${SIDE} ${SIDE}`, class: "sketch", role: "img", "aria-label": described(sketch) });
  svg.append(drawn("title", {}, described(sketch)));
  if (sketch.home?.drawn) svg.append(...house(sketch.home, x, y, scale));
  const points = sketch.points;
  svg.append(drawn("polyline", { class: "path", points: points.map((p) => `${x(p.east_m)},${y(p.north_m)}`).join(" ") }));
  points.forEach((point, at) => svg.append(...spot(point, at === points.length - 1, at + 1, x, y, scale)));
  svg.append(...bar(sketch.bar_m, sketch.bar_m * scale), ...north());
  return svg;
}

function described(sketch) {
  const home = sketch.home ? ` ${say("from_home", { m: metres(sketch.home.distance_m), way: way(sketch.home.bearing_deg), deg: Math.round(sketch.home.bearing_deg) % 360 })}` : "";
  return say("sketch", { n: sketch.points.length, m: metres(sketch.half_m * 2) }) + home;
}

function house(home, x, y, scale) {
  const [left, top] = [x(home.east_m), y(home.north_m)];
  const drawings = [drawn("path", { class: "house", d: `M${left - 7} ${top + 6}v-7l7-6 7 6v7z` })];
  drawings.push(drawn("text", { class: "label", x: left, y: top + 20, "text-anchor": "middle" }, say("home")));
  if (home.fence_m) drawings.unshift(drawn("circle", { class: "fence", cx: left, cy: top, r: home.fence_m * scale }));
  return drawings;
}

function spot(point, isLast, number, x, y, scale) {
  const at = { cx: x(point.east_m), cy: y(point.north_m) };
  const drawings = [];
  if (point.accuracy_m) drawings.push(drawn("circle", { ...at, class: isLast ? "accuracy last" : "accuracy", r: point.accuracy_m * scale }));
  drawings.push(drawn("circle", { ...at, class: isLast ? "spot last" : "spot", r: isLast ? 6 : 3.5 }));
  drawings.push(drawn("text", { class: isLast ? "label last" : "label", x: at.cx + 9, y: at.cy - 6 }, String(number)));
  return drawings;
}

function bar(length_m, length) {
  const top = SIDE - 14;
  return [
    drawn("path", { class: "bar", d: `M12 ${top - 5}v5h${length}v-5` }),
    drawn("text", { class: "label", x: 12, y: top - 9 }, metres(length_m)),
  ];
}

function north() {
  return [
    drawn("path", { class: "north", d: `M${SIDE - 18} 36V14m-6 8 6-8 6 8` }),
    drawn("text", { class: "label", x: SIDE - 18, y: 50, "text-anchor": "middle" }, say("north")),
  ];
}
