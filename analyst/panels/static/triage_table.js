// A table with keyboard commands. Text is set as textContent; pictures arrive as SVG, which is parsed
// as XML, never as HTML.
function element(name, css, text) {
  const made = document.createElement(name);
  if (css) made.className = css;
  if (text !== undefined) made.textContent = text;
  return made;
}

function picture(svg) {
  const parsed = new DOMParser().parseFromString(svg, "image/svg+xml");
  return parsed.querySelector("parsererror") ? null : document.importNode(parsed.documentElement, true);
}

function render({ model, el }) {
  let cursor = 0;
  let anchor = null;
  let chosen = new Set();
  let like = null;
  let reason = "";
  let onlyOpen = false;
  let shown = [];
  let lines = [];
  let timer = 0;

  const root = element("div", "soa-panel soa-triage mathjax_ignore");
  // JupyterLab does not handle the keys of such an element.
  root.dataset.lmSuppressShortcuts = "true";
  const bar = element("div", "bar");
  const find = element("input", "find");
  find.type = "search";
  find.placeholder = "/ filter rows (word -word)";
  find.setAttribute("aria-label", "Filter rows");
  const chips = element("span", "chips");
  const count = element("output", "count");
  bar.append(find, chips, count);
  const both = element("div", "both");
  const scroll = element("div", "scroll");
  const grid = element("table", "grid");
  grid.tabIndex = 0;
  grid.setAttribute("role", "grid");
  grid.setAttribute("aria-label", "Suspicious rows");
  grid.setAttribute("aria-multiselectable", "true");
  const head = element("thead");
  const body = element("tbody");
  grid.append(head, body);
  scroll.append(grid);
  const side = element("aside", "side");
  both.append(scroll, side);
  const said = element("div", "said");
  said.setAttribute("role", "status");
  const help = element("div", "help");
  root.append(bar, both, said, help);
  el.append(root);

  const table = () => model.get("table");
  const marks = () => model.get("marks");

  function drawTable() {
    const { heads, rows, likes, reasons } = table();
    const titles = element("tr");
    heads.forEach(([text, numeric], place) => {
      titles.append(element("th", numeric ? "n" : "", text));
      if (place === 0) titles.append(element("th", "", "scored"));
    });
    titles.append(element("th", "", "why look"));
    head.replaceChildren(titles);
    lines = rows.map((row, at) => {
      const line = element("tr", row.bad ? "bad" : "");
      line.setAttribute("role", "row");
      row.cells.forEach((text, place) => {
        line.append(element("td", heads[place][1] ? "n" : "", text));
        if (place === 0) line.append(element("td", "scored"));
      });
      const why = element("td", "why");
      for (const [text, verdict] of row.why) why.append(element("i", verdict ? "verdict" : "", text));
      line.append(why);
      line.addEventListener("mousedown", (event) => pick(event, at));
      return line;
    });
    chips.replaceChildren(
      ...["open only", ...reasons].map((text) => {
        const chip = element("button", "chip", text);
        chip.type = "button";
        chip.dataset.reason = text;
        chip.addEventListener("click", () => {
          if (text === "open only") onlyOpen = !onlyOpen;
          else reason = reason === text ? "" : text;
          filter();
          grid.focus({ preventScroll: true });
        });
        return chip;
      }),
    );
    const keys = [
      ["j k", "move"], ["x", "select"], ["X", "select to here"],
      ...likes.map(([key, what]) => [key, `all of this ${what}`]),
      ["1 2 3", "High, Medium, Low"], ["u", "undo"], ["/", "filter"], ["Esc", "clear"],
    ];
    help.replaceChildren(
      ...keys.flatMap(([key, what]) => [
        ...key.split(" ").map((each) => element("kbd", "", each)), element("span", "", what),
      ]),
    );
    chosen = new Set();
    like = null;
    cursor = Math.min(cursor, Math.max(rows.length - 1, 0));
    drawMarks();
    filter();
  }

  function drawMarks() {
    marks().forEach(([severity, name, who, open], at) => {
      const line = lines[at];
      if (!line) return;
      line.classList.toggle("done", !open);
      const cell = line.querySelector(".scored");
      cell.replaceChildren();
      if (severity) cell.append(element("b", `s${severity}`, name), element("small", "", who));
    });
    tell();
  }

  function filter() {
    const words = find.value.toLowerCase().split(/\s+/).filter((each) => each && each !== "-");
    shown = [];
    table().rows.forEach((row, at) => {
      const text = [...row.cells, ...row.why.map(([each]) => each), marks()[at]?.[1] ?? ""]
        .join(" ").toLowerCase();
      const fits = words.every((each) =>
        each.startsWith("-") ? !text.includes(each.slice(1)) : text.includes(each),
      );
      if (fits && (!reason || row.reasons.includes(reason)) && (!onlyOpen || marks()[at]?.[3])) {
        shown.push(at);
      }
    });
    body.replaceChildren(...shown.map((at) => lines[at]));
    for (const chip of chips.children) {
      const on = chip.dataset.reason === "open only" ? onlyOpen : chip.dataset.reason === reason;
      chip.setAttribute("aria-pressed", String(on));
    }
    if (shown.length && !shown.includes(cursor)) {
      move(shown.find((at) => at >= cursor) ?? shown[shown.length - 1]);
    } else tell();
  }

  function alike(key, at) {
    const place = table().likes.findIndex(([each]) => each === key);
    const group = table().rows[at]?.like[place];
    if (group === undefined || group < 0) return [];
    return table().rows.flatMap((row, each) => (row.like[place] === group ? [each] : []));
  }

  function tell() {
    const marked = like ? new Set(alike(like.key, like.at)) : chosen;
    lines.forEach((line, at) => {
      line.classList.toggle("here", at === cursor);
      line.classList.toggle("chosen", marked.has(at));
      line.setAttribute("aria-selected", String(marked.has(at)));
    });
    const open = marks().filter((each) => each[3]).length;
    const total = table().rows.length;
    const part = shown.length < total ? `${shown.length} of ${total} rows` : `${total} rows`;
    let words = `${part}, ${open} open`;
    if (like) {
      const what = table().likes.find(([key]) => key === like.key)[1];
      words += ` · all ${marked.size} of this ${what} selected`;
    } else if (chosen.size) words += ` · ${chosen.size} selected`;
    count.textContent = words;
  }

  function move(at) {
    if (at === undefined) return;
    cursor = at;
    const line = lines[at];
    // Not scrollIntoView: the notebook would jump too.
    if (line) {
      const top = line.offsetTop - head.offsetHeight;
      if (top < scroll.scrollTop) scroll.scrollTop = top;
      const low = line.offsetTop + line.offsetHeight;
      if (low > scroll.scrollTop + scroll.clientHeight) scroll.scrollTop = low - scroll.clientHeight;
    }
    tell();
    look();
  }

  function look() {
    const detail = model.get("detail");
    if (detail.at === cursor) drawDetail();
    else {
      side.classList.add("waits");
      clearTimeout(timer);
      // Moving down quickly does not request every row on the way.
      timer = setTimeout(() => model.send({ do: "look", at: cursor }), 60);
    }
  }

  function drawDetail() {
    const detail = model.get("detail");
    if (detail.at !== cursor) return;
    side.classList.remove("waits");
    side.dataset.at = String(detail.at);
    const parts = [element("h4", "", detail.title)];
    const near = element("div", "near");
    const drawn = detail.svg ? picture(detail.svg) : null;
    if (drawn) {
      const wide = element("div", "wide");
      wide.append(drawn);
      near.append(wide);
    }
    const fields = element("dl");
    for (const [name, value] of detail.fields) {
      fields.append(element("dt", "", name), element("dd", "", value));
    }
    near.append(fields);
    parts.push(near);
    if (detail.raw) {
      const raw = element("table", "raw");
      const titles = element("tr");
      for (const name of detail.raw.heads) titles.append(element("th", "", name));
      raw.append(titles);
      for (const row of detail.raw.rows) {
        const line = element("tr");
        for (const value of row) line.append(element("td", "", String(value)));
        raw.append(line);
      }
      const wide = element("div", "wide");
      wide.append(raw);
      parts.push(element("h5", "", detail.raw.title), wide);
    }
    side.replaceChildren(...parts);
    side.scrollTop = 0;
  }

  function select(from, to) {
    const [first, last] = [shown.indexOf(from), shown.indexOf(to)].sort((a, b) => a - b);
    for (const at of shown.slice(Math.max(first, 0), last + 1)) chosen.add(at);
  }

  function pick(event, at) {
    event.preventDefault();
    grid.focus({ preventScroll: true });
    like = null;
    if (event.shiftKey) select(anchor ?? cursor, at);
    else if (event.ctrlKey || event.metaKey) {
      if (!chosen.delete(at)) chosen.add(at);
      anchor = at;
    } else {
      chosen = new Set();
      anchor = at;
    }
    move(at);
  }

  function score(severity) {
    if (!table().rows.length) return;
    const marked = chosen.size ? [...chosen].sort((a, b) => a - b) : [cursor];
    const at = like ? [like.at] : marked;
    // Positions are of this table only, not of one that is already on its way.
    const message = { do: "score", run: table().run, at, severity };
    if (like) message.like = like.key;
    const next = shown.slice(shown.indexOf(cursor) + 1);
    const done = new Set(like ? alike(like.key, like.at) : marked);
    model.send(message);
    chosen = new Set();
    like = null;
    anchor = null;
    // Go to the next open row that was not scored just now.
    move(next.find((at) => !done.has(at) && marks()[at]?.[3]) ?? cursor);
  }

  // Filter the rows by the end or name that a mark of the picture stands for.
  function pickMark(mark) {
    if (mark?.dataset.k === undefined) return;
    find.value = mark.dataset.k;
    filter();
    grid.focus({ preventScroll: true });
  }

  // The picture is one tab stop: arrow keys move among its marks.
  function pressPicture(event, svg) {
    const marks = [...svg.querySelectorAll(".mark")];
    const at = marks.indexOf(event.target.closest(".mark"));
    const to = {
      ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1,
      Home: 0, End: marks.length - 1,
    }[event.key];
    if (event.key === "Enter") pickMark(marks[at]);
    else if (to === undefined) return;
    else marks[Math.max(0, Math.min(to, marks.length - 1))]?.focus();
    event.preventDefault();
    event.stopPropagation();
  }

  function press(event) {
    if (event.target === find) {
      event.stopPropagation();
      if (event.key === "Escape" || event.key === "Enter") {
        if (event.key === "Escape") find.value = "";
        filter();
        grid.focus({ preventScroll: true });
        event.preventDefault();
      }
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const svg = event.target.closest("svg");
    if (svg) pressPicture(event, svg);
    if (event.target !== grid) return;
    const place = shown.indexOf(cursor);
    const key = event.key;
    if (key === "j" || key === "ArrowDown") move(shown[Math.min(place + 1, shown.length - 1)]);
    else if (key === "k" || key === "ArrowUp") move(shown[Math.max(place - 1, 0)]);
    else if (key === "Home") move(shown[0]);
    else if (key === "End") move(shown[shown.length - 1]);
    else if (key === "x") {
      like = null;
      if (!chosen.delete(cursor)) chosen.add(cursor);
      anchor = cursor;
      tell();
    } else if (key === "X") {
      like = null;
      select(anchor ?? cursor, cursor);
      tell();
    } else if (table().likes.some(([each]) => each === key)) {
      chosen = new Set();
      like = alike(key, cursor).length ? { key, at: cursor } : null;
      tell();
    } else if (key === "1" || key === "2" || key === "3") score(Number(key));
    else if (key === "u") model.send({ do: "undo" });
    else if (key === "/") find.focus();
    else if (key === "Escape") {
      chosen = new Set();
      like = null;
      reason = "";
      onlyOpen = false;
      find.value = "";
      filter();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  function saySomething() {
    const { text } = model.get("said");
    said.replaceChildren();
    if (!text) return;
    said.append(element("span", "", text));
    const undo = element("button", "", "undo (u)");
    undo.type = "button";
    undo.addEventListener("click", () => model.send({ do: "undo" }));
    if (/ scored (High|Medium|Low) /.test(text)) said.append(undo);
    said.classList.add("fresh");
    clearTimeout(said.timer);
    said.timer = setTimeout(() => said.classList.remove("fresh"), 8000);
  }

  root.addEventListener("keydown", press);
  find.addEventListener("input", filter);
  side.addEventListener("click", (event) => pickMark(event.target.closest(".mark")));
  const changes = {
    "change:table": drawTable,
    "change:marks": () => { drawMarks(); if (onlyOpen) filter(); },
    "change:detail": drawDetail,
    "change:said": saySomething,
  };
  for (const [name, call] of Object.entries(changes)) model.on(name, call);
  drawTable();
  drawDetail();
  return () => {
    clearTimeout(timer);
    for (const [name, call] of Object.entries(changes)) model.off(name, call);
  };
}

export default { render };
