// The signs of the kinds, as strokes on a 24 by 24 grid.

const PATHS = {
  smoke: "M12 3c.5 3 5 5 5 10a5 5 0 0 1-10 0c0-2 1-3.5 2-4.5 0 1.5 .8 2.5 1.5 2.5C11.5 8.5 10.5 6 12 3z M5 21h14",
  gas: "M7 15a3.5 3.5 0 0 1 0-7 5 5 0 0 1 9.5-1A4 4 0 0 1 17 15z M8 18.5h4 M14 18.5h3 M10 21.5h4",
  flood: "M12 3c3 4 5 6.5 5 9a5 5 0 0 1-10 0c0-2.5 2-5 5-9z M3 20.5c1.5 1 3 1 4.5 0s3-1 4.5 0 3 1 4.5 0 3-1 4.5 0",
  inactivity: "M3 18v-9 M3 14h18v4 M21 14a4 4 0 0 0-4-4h-6v4 M7 11.5a1.5 1.5 0 1 0 .01 0 M14 3h4l-4 4h4",
  button: "M12 21a9 9 0 1 0-.01 0z M12 16.5a4.5 4.5 0 1 0-.01 0z",
  bracelet_sos: "M8 7h8a1 1 0 0 1 1 1v8a1 1 0 0 1-1 1H8a1 1 0 0 1-1-1V8a1 1 0 0 1 1-1z M9 7l.5-4.5h5L15 7 M9 17l.5 4.5h5L15 17 M12 9.5v3 M12 14.5v.2",
  bracelet_fall: "M15 5.5a1.8 1.8 0 1 0-.01 0z M13 8l-4 3 3 3-1 4 M13 8l4 3.5 M9 11l-4-1 M4 21h16",
  fence_exit: "M4 20V8l2-2 2 2v12 M4 12h8 M4 17h8 M13 14.5h8 M18 11.5l3 3-3 3",
  fence_enter: "M16 20V8l2-2 2 2v12 M12 12h8 M12 17h8 M2 14.5h8 M7 11.5l3 3-3 3",
  battery_low: "M3 8h15v8H3z M18 11h2.5v2H18 M6 10.5v3",
  mains_lost: "M9 3v5 M15 3v5 M6 8h12v2a6 6 0 0 1-12 0z M12 16v5",
  terminal_silent: "M4 10a11 11 0 0 1 16 0 M7 13.5a7 7 0 0 1 10 0 M12 18v.2 M4 3l16 18",
  piece: "M7 4h10a3 3 0 0 1 3 3v10a3 3 0 0 1-3 3H7a3 3 0 0 1-3-3V7a3 3 0 0 1 3-3z M12 14.5a2.5 2.5 0 1 0-.01 0z",
  trouble: "M12 3.5 21.5 20h-19z M12 10v5 M12 17.3v.2",
};
PATHS.gateway_lost = PATHS.uplink_lost = PATHS.terminal_silent;
PATHS.backup_low = PATHS.battery_low;

const SVG = "http://www.w3.org/2000/svg";

/** The sign of `kind`; the warning triangle where it has none of its own. */
export function icon(kind) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  for (const [name, value] of Object.entries({
    d: Object.hasOwn(PATHS, kind) ? PATHS[kind] : PATHS.trouble,
    fill: "none", stroke: "currentColor", "stroke-width": "1.6", "stroke-linecap": "round", "stroke-linejoin": "round",
  })) path.setAttribute(name, value);
  svg.append(path);
  return svg;
}
