// The report's picture under one's hands: zoom, move, filter, follow an event. Without it everything is still there.

(() => {
  "use strict";
  const VIEW_MS_MIN = 50;
  const DENSE = 3; // px of width for each mark in view: closer than this they are thin and wordless
  const AWAY = "-99%";
  const AXIS_PX = 22;
  const $ = (id) => document.getElementById(id);
  const chart = $("chart"), ticks = $("ticks"), cross = $("cross"), detail = $("detail");
  const hint = detail.textContent;
  const all = [Number(chart.dataset.begin), Number(chart.dataset.end)];
  const steps = chart.dataset.steps.split(" ").map(Number);
  const height = Number(chart.getAttribute("height"));
  const every = (selector) => [...document.querySelectorAll(selector)];
  const timed = (g) => ({
    g, t: Number(g.dataset.t), end: g.dataset.end && Number(g.dataset.end), inside: true, w: Number(g.dataset.w), row: g.dataset.row,
    what: g.dataset.what, event: g.dataset.event, n: g.dataset.n, box: g.querySelector("rect"), word: g.querySelector("text"),
  });
  const marks = every("#chart .mark").map(timed), bands = every("#chart .band").map(timed);
  const names = every("#chart .bandname").map(timed), ways = every("#chart .way").map(timed);
  const plots = every("#chart .plot");
  const rows = new Map(every("#entries tr[data-n]").map((tr) => [tr.dataset.n, tr]));
  const hidden = new Set(); // words that are filtered out
  let view = [...all];
  let due = false;

  // --- the picture of the view ---

  const width = () => chart.getBoundingClientRect().width || 1;
  const share = (t) => ((t - view[0]) / (view[1] - view[0])) * 100;
  const at = (t) => `${Math.max(-1e6, Math.min(1e6, share(t))).toFixed(4)}%`;
  const two = (n) => String(n).padStart(2, "0");

  function clock(t, step) {
    const ms = Math.abs(t), h = Math.floor(ms / 3600000), m = Math.floor(ms / 60000) % 60, s = Math.floor(ms / 1000) % 60;
    const head = h ? `${h}:${two(m)}` : `${m}`;
    return `${t < 0 ? "-" : ""}${head}:${two(s)}` + (step % 1000 ? `.${String(ms % 1000).padStart(3, "0")}` : "");
  }

  function svg(name, attributes, text) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function drawTicks() {
    const most = Math.max(2, width() / 95), span = view[1] - view[0];
    const step = steps.find((one) => span / one <= most) ?? steps.at(-1);
    const made = [];
    for (let t = Math.ceil(view[0] / step) * step; t <= view[1] && made.length < 200; t += step) {
      made.push(svg("line", { x1: at(t), x2: at(t), y1: AXIS_PX, y2: height }));
      if (share(t) < 100 - 5500 / width()) made.push(svg("text", { x: at(t), dx: 3, y: 15 }, clock(t, step)));
    }
    ticks.replaceChildren(...made);
  }

  /** Of labels in one row those that would run into the next thing are left out. */
  function thinOut(things, gap) {
    const px = width() / 100, next = new Map();
    for (let n = things.length - 1; n >= 0; n--) {
      const thing = things[n];
      if (!thing.inside || hidden.has(thing.what)) continue;
      const x = share(thing.from ?? thing.t) * px, free = next.get(thing.row) ?? width();
      const crowded = x + gap + thing.w > free;
      if (crowded !== thing.crowded) thing.g.classList.toggle("crowded", (thing.crowded = crowded));
      next.set(thing.row, x);
    }
  }

  /** The things that are in view, and once more those that have just left it: they go where nobody sees them. */
  function* moved(things) {
    for (const thing of things) {
      const was = thing.inside;
      thing.inside = thing.t <= view[1] && (thing.end ?? thing.t) >= view[0];
      if (was || thing.inside) yield thing;
    }
  }

  function draw() {
    due = false;
    drawTicks();
    for (const { g, t, end, inside } of moved(bands)) {
      g.setAttribute("x", inside ? at(t) : AWAY);
      g.setAttribute("width", inside ? `${Math.min(1e6, share(end) - share(t)).toFixed(4)}%` : 0);
    }
    for (const name of moved(names)) {
      name.from = name.inside ? Math.max(name.t, view[0]) : name.t;
      name.g.setAttribute("x", name.inside ? at(name.from) : AWAY);
    }
    for (const { g, t, end, inside } of moved(ways)) {
      g.setAttribute("x1", inside ? at(t) : AWAY);
      g.setAttribute("x2", inside ? at(end) : AWAY);
    }
    let inView = 0;
    for (const { box, word, t, what, inside } of moved(marks)) {
      const x = inside ? at(t) : AWAY;
      box.setAttribute("x", x);
      word.setAttribute("x", x);
      inView += inside && !hidden.has(what);
    }
    const dense = inView > width() / DENSE;
    chart.classList.toggle("dense", dense);
    if (!dense) thinOut(marks, 10);
    thinOut(names, 6);
    for (const plot of plots) plot.setAttribute("viewBox", `${view[0]} 0 ${view[1] - view[0]} ${plot.getAttribute("height")}`);
  }

  function show(begin, end) {
    const span = Math.min(all[1] - all[0], Math.max(VIEW_MS_MIN, end - begin));
    const middle = (begin + end) / 2;
    const from = Math.max(all[0], Math.min(all[1] - span, middle - span / 2));
    view = [from, from + span];
    if (!due) requestAnimationFrame(draw);
    due = true;
  }

  function zoom(factor, about = (view[0] + view[1]) / 2) {
    show(about - (about - view[0]) * factor, about + (view[1] - about) * factor);
  }

  const move = (part) => show(view[0] + (view[1] - view[0]) * part, view[1] + (view[1] - view[0]) * part);

  // --- following an event ---

  function light(mark) {
    for (const tr of rows.values()) tr.classList.remove("on");
    for (const { g } of [...marks, ...ways]) g.classList.remove("on");
    chart.classList.toggle("lit", Boolean(mark));
    detail.classList.toggle("lit", Boolean(mark));
    detail.textContent = mark ? mark.g.querySelector("title").textContent : hint;
    if (!mark) return;
    for (const { g, event, n } of [...marks, ...ways]) {
      const same = n === mark.n && n !== undefined || (mark.event && event === mark.event);
      g.classList.toggle("on", Boolean(same));
      if (same && n !== undefined) rows.get(n)?.classList.add("on");
    }
  }

  // --- hands ---

  const timeAt = (clientX) => {
    const box = chart.getBoundingClientRect();
    return view[0] + ((clientX - box.left) / box.width) * (view[1] - view[0]);
  };
  let dragged = null;

  chart.addEventListener("pointerdown", (event) => {
    dragged = { x: event.clientX, view: [...view], far: false };
  });
  chart.addEventListener("pointermove", (event) => {
    const t = timeAt(event.clientX);
    cross.setAttribute("x1", at(t));
    cross.setAttribute("x2", at(t));
    if (dragged && event.buttons) {
      const by = ((dragged.x - event.clientX) / width()) * (view[1] - view[0]);
      if (Math.abs(dragged.x - event.clientX) > 4 && !dragged.far) {
        dragged.far = true;
        chart.setPointerCapture(event.pointerId);
      }
      if (dragged.far) show(dragged.view[0] + by, dragged.view[1] + by);
    } else if (!chart.classList.contains("lit")) {
      detail.textContent = [clock(Math.round(t), 1), ...plots.map((plot) => seen(plot, t)).filter(Boolean)].join(" · ");
    }
  });
  chart.addEventListener("pointerleave", () => {
    cross.setAttribute("x1", -9);
    cross.setAttribute("x2", -9);
    if (!chart.classList.contains("lit")) detail.textContent = hint;
  });
  chart.addEventListener("click", (event) => {
    if (dragged?.far) return;
    const g = event.target.closest(".mark");
    light(g ? marks.find((mark) => mark.g === g) : null);
  });
  chart.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return; // the page scrolls
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.25 : 0.8, timeAt(event.clientX));
  }, { passive: false });

  /** What a signal was at `t`: the last point before it. */
  function seen(plot, t) {
    let value = null;
    for (const { x, y } of pointsOf(plot)) {
      if (x > t) break;
      value = y;
    }
    if (value === null) return "";
    const least = Number(plot.dataset.least), greatest = Number(plot.dataset.greatest), tall = plot.height.baseVal.value;
    const shown = least + ((tall - 2 - value) / (tall - 4)) * (greatest - least);
    return `${plot.dataset.name} ${Number(shown.toPrecision(3))} ${plot.dataset.unit}`.trim();
  }

  const known = new Map();
  function pointsOf(plot) {
    if (!known.has(plot)) known.set(plot, [...plot.querySelectorAll("polyline")].flatMap((line) => [...line.points]));
    return known.get(plot);
  }

  $("closer").onclick = () => zoom(0.5);
  $("wider").onclick = () => zoom(2);
  $("earlier").onclick = () => move(-0.5);
  $("later").onclick = () => move(0.5);
  $("all").onclick = () => show(...all);

  for (const button of every("#legend button")) {
    button.onclick = () => {
      const what = button.dataset.what;
      if (!hidden.delete(what)) hidden.add(what);
      button.setAttribute("aria-pressed", String(!hidden.has(what)));
      for (const mark of marks) mark.g.classList.toggle("off", hidden.has(mark.what));
      filter();
      show(...view);
    };
  }

  const find = $("find");
  function filter() {
    const asked = find ? find.value.trim().toLowerCase() : "";
    for (const tr of rows.values()) {
      tr.hidden = hidden.has(tr.dataset.what) || (asked !== "" && !tr.textContent.toLowerCase().includes(asked));
    }
  }
  find?.addEventListener("input", filter);

  for (const tr of every("tr[data-t]")) {
    tr.onclick = () => {
      const begin = Number(tr.dataset.t), end = Number(tr.dataset.end ?? begin);
      const around = Math.max(end - begin, Math.min(10000, (all[1] - all[0]) / 4));
      show(begin - around / 2, end + around / 2);
      light(tr.dataset.n === undefined ? null : marks.find((mark) => mark.n === tr.dataset.n));
      $("timeline").scrollIntoView();
    };
  }

  document.documentElement.classList.add("live");
  addEventListener("resize", () => show(...view));
  draw();
})();
