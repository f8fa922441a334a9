// The summary: figures lead to their rows, tables sort. Everything in it is there without this, too.

/** Shows the rows that have a label: as gold and prediction where the cell names both, else as either. */
function pick(cell) {
  const { gold, label } = cell.dataset;
  state.wanted.clear();
  for (const [name, value] of [["gold", gold], ["predicted", label]]) {
    if (value !== undefined && offered(name, wordOf(value))) state.wanted.set(name, wordOf(value));
  }
  if (!state.wanted.size && label !== undefined && offered("gold", wordOf(label))) state.wanted.set("gold", wordOf(label));
  refresh();
  document.getElementById("rows").scrollIntoView();
}

const offered = (name, value) => [...(tools.elements[name]?.options ?? [])].some((option) => option.value === value);

/** Makes the headings of a table's columns of figures into buttons that sort it. */
function makeSortable(table) {
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    const cells = [...table.tBodies[0].rows].map((row) => row.cells[column]);
    if (cells.length < 3 || !cells.some((cell) => cell.dataset.value)) return;
    const button = make("button", { type: "button" }, heading.textContent);
    button.addEventListener("click", () => sortBy(table, column));
    heading.replaceChildren(button);
  });
}

function sortBy(table, column) {
  const heading = table.tHead.rows[0].cells[column];
  const up = heading.getAttribute("aria-sort") === "descending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", up ? "ascending" : "descending");
  const value = (row) => Number(row.cells[column].dataset.value ?? Number.NEGATIVE_INFINITY);
  const sorted = [...table.tBodies[0].rows].sort((a, b) => (up ? value(a) - value(b) : value(b) - value(a)) || 0);
  table.tBodies[0].append(...sorted);
}

document.querySelectorAll("table.figures").forEach(makeSortable);
if (tools) {
  document.body.classList.add("scripted");
  document.getElementById("summary").addEventListener("click", (event) => {
    const cell = event.target.closest(".pick");
    if (cell) pick(cell);
  });
}
