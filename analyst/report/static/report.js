"use strict";
(() => {
const all = (s, e = document) => [...e.querySelectorAll(s)];
const make = (tag, text, css) => { const e = document.createElement(tag); if (text !== undefined) e.textContent = text; if (css) e.className = css; return e; };
document.documentElement.classList.add("js");
const data = JSON.parse(document.getElementById("data")?.textContent || '{"words":[],"tables":{}}');
const words = data.words, pill = document.getElementById("pill");
const keyOf = e => e.dataset.k ?? e.textContent;
let picked = "";
const panels = all(".panel").map(panel => {
  const table = data.tables[panel.dataset.p];
  const rows = all(".events>tbody>tr", panel).map(tr => ({ tr, i: +tr.dataset.i,
    keys: new Set(all(".p", tr).map(keyOf)), reasons: (tr.dataset.r || "").split("|"),
    text: (tr.textContent + " " + table.rows[+tr.dataset.i].map(w => words[w]).join(" ")).toLowerCase() }));
  return { panel, table, rows, find: panel.querySelector("input[type=search]"), chips: all(".chip", panel),
    output: panel.querySelector("output"), body: panel.querySelector(".events>tbody"), said: panel.querySelector("output").textContent };
});
const show = () => {
  let total = 0;
  for (const p of panels) {
    const wanted = p.find.value.toLowerCase().split(/\s+/).filter(w => w && w !== "-");
    const chips = p.chips.filter(c => c.getAttribute("aria-pressed") === "true").map(c => c.dataset.r);
    let n = 0;
    for (const r of p.rows) {
      const ok = (!picked || r.keys.has(picked)) && chips.every(c => r.reasons.includes(c))
        && wanted.every(w => w[0] === "-" ? !r.text.includes(w.slice(1)) : r.text.includes(w));
      r.tr.hidden = !ok; if (r.more) r.more.hidden = !ok; n += ok;
    }
    total += n;
    p.output.textContent = n === p.rows.length ? p.said : n + " of " + p.rows.length + " rows";
    roam(p);
  }
  for (const e of all(".p,.mark[data-k]")) e.classList.toggle("lit", !!picked && keyOf(e) === picked);
  if (!pill) return;
  pill.hidden = !picked;
  pill.textContent = picked ? "Shown: " + picked + " · " + total + " rows · Esc clears" : "";
};
const pick = value => { picked = picked === value ? "" : value; show(); };
const clear = () => { picked = ""; for (const p of panels) { p.find.value = ""; for (const c of p.chips) c.setAttribute("aria-pressed", "false"); } show(); };
const inner = (columns, rows) => {
  const table = make("table", undefined, "inner"), head = table.createTHead().insertRow(), body = table.createTBody();
  for (const c of columns) head.append(make("th", c));
  for (const r of rows) { const tr = body.insertRow(); for (const w of r) { const td = tr.insertCell(); td.textContent = words[w]; td.title = words[w].slice(0, 300); } }
  return table;
};
const open = (p, r) => {
  r.tr.classList.toggle("open", !r.more);
  r.tr.setAttribute("aria-expanded", String(!r.more));
  if (r.more) { r.more.remove(); r.more = null; return; }
  const tr = make("tr", undefined, "more"), td = tr.insertCell(), dl = make("dl"), t = p.table;
  td.colSpan = 20;
  t.columns.forEach((name, c) => { const w = words[t.rows[r.i][c]]; if (w !== "") { const d = make("div"); d.append(make("dt", name), make("dd", w)); dl.append(d); } });
  const [n, ...places] = t.of[r.i];
  td.append(dl, make("p", n === 0 ? "No raw events behind this row are published" : n + " raw event" + (n === 1 ? "" : "s") + " behind this row" + (n > places.length ? ", the first " + places.length + ":" : "")));
  if (places.length) { const box = make("div", undefined, "raw"); box.append(inner(t.edge, places.map(i => t.raw[i]))); td.append(box); }
  const told = make("dl", undefined, "known");
  for (const [what, ...lines] of t.known[r.i]) { const d = make("div"); d.append(make("dt", words[what]), ...lines.map(parts => make("dd", parts.map(w => words[w]).join("")))); told.append(d); }
  td.append(told);
  const known = make("p", "All that is known from the 90 days before: ");
  known.append(make("code", "spot-oa explain " + p.panel.dataset.p + " --date " + data.date + " --rank " + r.tr.cells[0].textContent));
  td.append(known);
  r.tr.after(tr); r.more = tr;
};
const sort = (p, th) => {
  const c = th.cellIndex, down = th.getAttribute("aria-sort") === "ascending" || (c > 0 && !th.hasAttribute("aria-sort") && th.classList.contains("n"));
  for (const other of all(".events>thead th", p.panel)) other.removeAttribute("aria-sort");
  th.setAttribute("aria-sort", down ? "descending" : "ascending");
  const value = r => { const td = r.tr.cells[c], v = td.dataset.v ?? td.textContent; return v === "–" || v === "" ? null : th.classList.contains("n") ? Number(v) : v.toLowerCase(); };
  const keyed = p.rows.map(r => [value(r), r]), way = down ? -1 : 1;
  keyed.sort(([a, x], [b, y]) => a === null || b === null ? (a === null) - (b === null) || x.i - y.i : a < b ? -way : a > b ? way : x.i - y.i);
  for (const [, r] of keyed) { p.body.append(r.tr); if (r.more) r.more.remove(), r.tr.after(r.more); }
};
const roam = p => { const first = p.rows.find(r => !r.tr.hidden); for (const r of p.rows) r.tr.tabIndex = r === first ? 0 : -1; };
for (const p of panels) {
  const of = new Map(p.rows.map(r => [r.tr, r]));
  p.find.addEventListener("input", show);
  for (const c of p.chips) c.addEventListener("click", () => { c.setAttribute("aria-pressed", String(c.getAttribute("aria-pressed") !== "true")); show(); });
  for (const th of all(".events>thead th", p.panel)) {
    th.tabIndex = 0;
    th.addEventListener("click", () => sort(p, th));
    th.addEventListener("keydown", e => { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); sort(p, th); } });
  }
  p.body.addEventListener("click", e => { const tr = e.target.closest("tr[data-i]"); if (tr && !e.target.closest(".p") && !String(getSelection())) open(p, of.get(tr)); });
  p.body.addEventListener("keydown", e => {
    const tr = e.target.closest("tr[data-i]"); if (!tr) return;
    const marks = all(".p", tr), at = marks.indexOf(e.target), shown = all("tr[data-i]", p.body).filter(x => !x.hidden), row = shown.indexOf(tr);
    const to = { ArrowDown: shown[row + 1], ArrowUp: shown[row - 1], Home: shown[0], End: shown.at(-1), ArrowRight: marks[at + 1], ArrowLeft: at > 0 ? marks[at - 1] : tr }[e.key];
    if (to) { e.preventDefault(); to.tabIndex = to.tabIndex < 0 && to !== tr ? -1 : to.tabIndex; to.focus(); }
    else if (e.key === "Enter" && e.target === tr) open(p, of.get(tr));
  });
}
for (const e of all(".p")) { const inRow = e.closest("tr[data-i]"); e.tabIndex = inRow ? -1 : 0; e.setAttribute("role", "button"); }
document.addEventListener("click", e => { const m = e.target.closest(".p,.mark[data-k]"); if (m) pick(keyOf(m)); });
for (const svg of all("svg.soa")) svg.addEventListener("keydown", e => {
  const marks = all(".mark", svg), at = marks.indexOf(e.target.closest(".mark"));
  const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: marks.length - 1 }[e.key];
  if (to !== undefined && marks.length) { e.preventDefault(); marks[Math.max(0, Math.min(to, marks.length - 1))].focus(); }
});
for (const c of all(".choice")) {
  const ones = all(".one", c), select = c.querySelector("select");
  const turn = () => ones.forEach((o, i) => o.classList.toggle("on", i === (select ? select.selectedIndex : 0)));
  if (select) select.addEventListener("change", turn);
  turn();
}
document.addEventListener("keydown", e => {
  if (e.key === "Escape") { clear(); if (document.activeElement.matches("input[type=search]")) document.activeElement.blur(); }
  else if (e.key === "/" && !e.target.closest("input,select")) { const p = panels.find(x => x.panel.offsetParent); if (p) { e.preventDefault(); p.find.focus(); } }
  else if (e.key === "Enter" && e.target.closest(".p,.mark[data-k]")) pick(keyOf(e.target.closest(".p,.mark[data-k]")));
});
addEventListener("beforeprint", () => { for (const d of all("details")) d.open = true; });
show();
})();
