// Which rows are shown, and in which order: filters, search, orders.

const labelsOf = (emotions) => (emotions?.length ? [...new Set(emotions.map(wordOf))] : [NONE]);
const predictedOf = (row) => labelsOf(row.emotions?.map(([label]) => label));
const groupNames = [...new Set(rows.flatMap((row) => Object.keys(row.groups ?? {})))];

function quotesOf(row) {
  if (!row.causes) return "no quote";
  return row.causes.every(([, , verbatim]) => verbatim) ? "all verbatim" : "some not verbatim";
}

function changeOf(row) {
  if (!row.other) return [];
  if (row.right !== undefined && row.other.right !== undefined && row.right !== row.other.right) {
    return [row.right ? `only ${row.arm || said.arm || "this"} right` : `only ${row.other.name} right`];
  }
  return [predictedOf(row).join() === predictedOf(row.other).join() ? "same labels" : "other labels, same verdict"];
}

// A filter: its name, its title, and the values that a row has; a row passes if it has the one that is asked for.
const FILTERS = [
  ["status", "Status", (row) => [row.status ?? "ok"]],
  ["predicted", "Predicted label", predictedOf],
  ["gold", "Gold label", (row) => (row.gold?.emotions ? labelsOf(row.gold.emotions) : [])],
  ["right", "Answer", (row) => (row.right === undefined ? [] : [row.right ? "right" : "wrong"])],
  ["quotes", "Quotes", (row) => [quotesOf(row)]],
  ["change", "Change", changeOf],
  ["arm", "System", (row) => (row.arm ? [row.arm] : [])],
  ...groupNames.map((name) => [`group ${name}`, name, (row) => (row.groups?.[name] === undefined ? [] : [row.groups[name]])]),
];

const sureness = (row) => row.emotions?.[0]?.[1] ?? null;
const firstScore = (row) => Object.values(row.scores ?? {})[0] ?? null;
const scoreNames = [...new Set(rows.flatMap((row) => Object.keys(row.scores ?? {})))];

/** Lower is worse: no answer, then wrong (the surest first), then unjudged, then right; in each by the first score. */
function badness(row) {
  const rank = row.status ? 0 : row.right === false ? 1 : row.right === undefined ? 2 : 3;
  return [rank, firstScore(row) ?? 0.5, rank === 1 ? -(sureness(row) ?? 0) : 0];
}

const known = (values) => values.some((value) => value !== null && value !== undefined);

// An order: its title and a key (a number or a list of them, smallest first; null comes last), where the rows have one.
const ORDERS = [
  ["Input order", () => 0],
  ...(rows.some((row) => row.status || row.right === false || row.scores) ? [["Worst first", badness]] : []),
  ...(known(rows.map(sureness)) ? [["Least sure first", sureness], ["Surest first", (row) => { const sure = sureness(row); return sure === null ? null : -sure; }]] : []),
  ...scoreNames.map((name) => [`Lowest ${name}`, (row) => row.scores?.[name] ?? null]),
];

const state = { wanted: new Map(), search: "", order: 0, page: 0, current: null, open: new Set(), shown: rows.map((_, i) => i) };

// Searching ------------------------------------------------------------------------------------------------------

const texts = [];

function collect(value, into) {
  if (typeof value === "string") into.push(value);
  else if (Array.isArray(value)) {
    // the pieces of a marked text are one text: a phrase may run over a mark
    if (value.length === 4 && Array.isArray(value[3]) && value[3].every((piece) => typeof piece === "string")) into.push(value[1] ?? "", value[3].join(""));
    else for (const inner of value) collect(inner, into);
  } else if (value !== null && typeof value === "object") for (const inner of Object.values(value)) collect(inner, into);
  return into;
}

const textOf = (i) => (texts[i] ??= collect(rows[i], []).join("\n").toLowerCase());

/** What is searched for: words, and phrases in quotation marks, all of which a row must hold. */
const terms = () => [...state.search.toLowerCase().matchAll(/"([^"]+)"|(\S+)/g)].map(([, phrase, word]) => phrase ?? word);

function compare(a, b) {
  if (Array.isArray(a)) {
    const at = a.findIndex((value, i) => value !== b[i]);
    return at < 0 ? 0 : a[at] - b[at];
  }
  return a === b ? 0 : a === null ? 1 : b === null ? -1 : a - b;
}

function select() {
  const wanted = FILTERS.filter(([name]) => state.wanted.has(name)).map(([name, , values]) => [state.wanted.get(name), values]);
  const words = terms();
  const chosen = rows.map((_, i) => i).filter(
    (i) => wanted.every(([value, values]) => values(rows[i]).includes(value)) && words.every((word) => textOf(i).includes(word)),
  );
  if (state.order) {
    const key = ORDERS[state.order][1];
    const keys = new Map(chosen.map((i) => [i, key(rows[i])]));
    chosen.sort((a, b) => compare(keys.get(a), keys.get(b)) || a - b);
  }
  state.shown = chosen;
}
