// The list of rows: pages, filters as controls, keys.

const PAGE = 50;
const MOST_OPTIONS = 300;
const MOST_COLOURED = 2000;
const tools = document.getElementById("tools");

/** Colours what was searched for, where the browser can do so without touching the elements. */
function highlight(feed) {
  if (typeof Highlight === "undefined" || !CSS.highlights) return;
  const words = terms();
  const found = new Highlight();
  const walker = document.createTreeWalker(feed, NodeFilter.SHOW_TEXT);
  while (words.length && found.size < MOST_COLOURED && walker.nextNode()) {
    const text = walker.currentNode.data.toLowerCase();
    if (text.length !== walker.currentNode.data.length) continue; // a letter of two in lower case moves what follows
    for (const word of words) {
      for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + word.length)) {
        const range = new Range();
        range.setStart(walker.currentNode, at);
        range.setEnd(walker.currentNode, at + word.length);
        found.add(range);
      }
    }
  }
  CSS.highlights.set("found", found);
}

// Showing --------------------------------------------------------------------------------------------------------

const feed = document.getElementById("feed");
const numberOf = (article) => Number(article.id.slice("row-".length));
const pageCount = () => Math.max(1, Math.ceil(state.shown.length / PAGE));

function drawRow(i) {
  const element = article(rows[i], i, state.open.has(i));
  element.setAttribute("aria-posinset", String(state.shown.indexOf(i) + 1));
  element.setAttribute("aria-setsize", String(state.shown.length));
  if (i === state.current) element.tabIndex = 0;
  return element;
}

function drawPages() {
  const nav = document.getElementById("pages");
  const button = (title, page) => {
    const made = make("button", { type: "button" }, title);
    made.disabled = page < 0 || page >= pageCount() || page === state.page;
    made.addEventListener("click", () => turnTo(page));
    return made;
  };
  const first = state.page * PAGE + 1;
  const last = Math.min(first + PAGE - 1, state.shown.length);
  const where = `${first.toLocaleString("en-GB")}–${last.toLocaleString("en-GB")} of ${state.shown.length.toLocaleString("en-GB")}`;
  nav.replaceChildren(button("First", 0), button("Previous", state.page - 1), make("span", {}, where), button("Next", state.page + 1), button("Last", pageCount() - 1));
  nav.hidden = pageCount() < 2;
}

function draw() {
  const here = state.shown.slice(state.page * PAGE, (state.page + 1) * PAGE);
  if (!here.includes(state.current)) state.current = here[0] ?? null;
  feed.replaceChildren(...(here.length ? here.map(drawRow) : [make("p", { class: "nothing" }, "No row is like that.")]));
  drawPages();
  highlight(feed);
}

function refresh() {
  select();
  state.page = 0;
  state.current = null;
  const all = state.shown.length === rows.length;
  document.getElementById("found").textContent = all ? count(rows.length, "row") : `${state.shown.length.toLocaleString("en-GB")} of ${count(rows.length, "row")}`;
  document.getElementById("clear").hidden = !state.wanted.size && !state.search;
  for (const control of tools.querySelectorAll("select[name]")) {
    control.value = state.wanted.get(control.name) ?? "";
    control.classList.toggle("set", state.wanted.has(control.name));
  }
  draw();
}

function turnTo(page) {
  state.page = Math.min(Math.max(page, 0), pageCount() - 1);
  state.current = null;
  draw();
  document.getElementById("rows").scrollIntoView();
  feed.querySelector("article")?.focus({ preventScroll: true });
}

/** Makes a row the current one, on its page, and puts the focus there. */
function goTo(i) {
  const at = state.shown.indexOf(i);
  if (at < 0) return;
  const before = document.getElementById(`row-${state.current}`);
  state.current = i;
  if (Math.floor(at / PAGE) !== state.page) {
    state.page = Math.floor(at / PAGE);
    draw();
  } else if (before) before.tabIndex = -1;
  const element = document.getElementById(`row-${i}`);
  element.tabIndex = 0;
  element.focus({ preventScroll: true });
  element.scrollIntoView({ block: "nearest" });
}

function toggle(i) {
  if (!state.open.delete(i)) state.open.add(i);
  document.getElementById(`row-${i}`).replaceWith(drawRow(i));
  highlight(feed);
  goTo(i);
}

// Controls -------------------------------------------------------------------------------------------------------

function addFilter([name, title, values]) {
  const counts = new Map();
  for (const row of rows) for (const value of values(row)) counts.set(value, (counts.get(value) ?? 0) + 1);
  if (counts.size < 2) return;
  const sorted = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, MOST_OPTIONS);
  const options = sorted.map(([value, n]) => make("option", { value }, `${value} (${n.toLocaleString("en-GB")})`));
  const control = make("select", { name }, make("option", { value: "" }, "all"), options);
  control.addEventListener("change", () => want(name, control.selectedIndex ? sorted[control.selectedIndex - 1][0] : null));
  document.getElementById("chosen").append(make("label", {}, title, control));
}

function want(name, value) {
  if (value === null) state.wanted.delete(name);
  else state.wanted.set(name, value);
  refresh();
}

function clear() {
  state.wanted.clear();
  state.search = document.getElementById("search").value = "";
  refresh();
}

function move(step) {
  const held = document.activeElement?.closest("article");
  const at = state.shown.indexOf(held ? numberOf(held) : state.current);
  const next = held || step < 0 ? at + step : at; // the first key only enters the list
  if (next >= 0 && next < state.shown.length) goTo(state.shown[next]);
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const search = document.getElementById("search");
  const inside = event.target.closest?.("article");
  const typing = event.target.matches?.("input, select, textarea");
  const keys = {
    "/": () => (typing ? false : search.focus()),
    j: () => (typing ? false : move(1)),
    k: () => (typing ? false : move(-1)),
    ArrowDown: () => (inside ? move(1) : false),
    ArrowUp: () => (inside ? move(-1) : false),
    Enter: () => (event.target === inside ? toggle(numberOf(inside)) : false),
    Escape: () => escape(search, inside),
  };
  if (Object.hasOwn(keys, event.key) && keys[event.key]() !== false) event.preventDefault();
}

function escape(search, inside) {
  if (document.activeElement === search) {
    if (search.value) {
      state.search = search.value = "";
      refresh();
    } else if (state.current !== null) goTo(state.current);
    return true;
  }
  if (!inside || !state.open.has(numberOf(inside))) return false;
  toggle(numberOf(inside));
  return true;
}

function onClick(event) {
  const inside = event.target.closest("article");
  if (!inside) return;
  const i = numberOf(inside);
  const acts = event.target.closest("a, button, summary, details");
  const closed = !state.open.has(i) || event.target.closest("article > header");
  if (event.target.closest("[data-toggle]") || (!acts && closed && getSelection().isCollapsed)) toggle(i);
}

/** Opens the row that the address names. */
function followHash() {
  const named = /^#row-(\d+)$/.exec(location.hash);
  if (!named || !rows[Number(named[1])]) return;
  const i = Number(named[1]);
  if (!state.shown.includes(i)) clear();
  state.open.add(i);
  goTo(i);
  document.getElementById(`row-${i}`).replaceWith(drawRow(i));
  goTo(i);
}

if (tools) {
  FILTERS.forEach(addFilter);
  const order = document.getElementById("order");
  order.append(...ORDERS.map(([title], i) => make("option", { value: String(i) }, title)));
  order.addEventListener("change", () => { state.order = order.selectedIndex; refresh(); });
  order.parentElement.hidden = ORDERS.length < 2;
  const search = document.getElementById("search");
  search.addEventListener("input", () => { state.search = search.value; refresh(); });
  tools.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("clear").addEventListener("click", clear);
  document.getElementById("filters").open = matchMedia("(min-width: 40rem)").matches;
  document.addEventListener("keydown", onKey);
  feed.addEventListener("click", onClick);
  addEventListener("hashchange", followHash);
  refresh();
  tools.hidden = document.getElementById("keys").hidden = false;
  followHash();
}
